"""One flat, shared state machine for each definition; the one home of ``transitions``.

The library finds the transitions that leave a state by a trigger and tries them in order; ours
evaluates *all* guards of each it tries and keeps every verdict. There are no callbacks, no
automatic ``to_<state>()`` (they would go past the guards), and no model is ever attached: a bare
one is stepped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import transitions

from engine.attempt import Attempt
from engine.cel.conditions import compile_condition
from engine.definition import Definition
from engine.events import DefinitionRef, Verdict
from engine.fixed import fixed
from engine.guards import accepted
from engine.plan import Plan, plan_of
from engine.step import Step


class _GuardedTransition(transitions.Transition):
    def __init__(self, source: str, dest: str, plan: Plan):
        super().__init__(source, dest)
        self.target = dest
        self.plan = plan


class _GuardedEvent(transitions.Event):
    """The library's trigger without its callback chains, of which we use none."""

    def trigger(self, model: Any, *_: Any, **__: Any) -> bool:
        for transition in cast("list[_GuardedTransition]", self.transitions[model.state]):
            if transition.plan.holds(model.attempt):
                model.state, model.taken = transition.target, transition.plan
                return True
        return False


class _Machine(transitions.Machine):
    event_cls = _GuardedEvent

    @classmethod
    def _create_transition(cls, *args: Any, **given: Any) -> _GuardedTransition:
        return _GuardedTransition(args[0], args[1], given["plan"])


@dataclass(slots=True)
class _Model:
    """What the machine steps: a state, the attempt that guards are asked about, the step taken."""

    state: str
    attempt: Attempt
    taken: Plan | None = None


@fixed
class Taken:
    """The step that was taken, the state it led to, its guards' verdicts."""

    plan: Plan
    state: str
    verdicts: tuple[Verdict, ...]


def _locked(definition: Definition, state: str) -> dict[str, str]:
    """The fields that only steps away from the state may change, each with the first such trigger.

    A field that no step from here takes is nobody's to change; whoever reports another value of it
    tells of something that the rules leave open.
    """
    found: dict[str, str] = {}
    kept: set[str] = set()
    for rule in definition.transitions_from(state):
        takes = () if rule.corrects else accepted(rule, definition)
        if rule.target(state) == state:
            kept.update(takes)
        else:
            for name in takes:
                found.setdefault(name, rule.trigger)
    return {name: trigger for name, trigger in found.items() if name not in kept}


class Workflow:
    """A definition made ready to decide with; built once, shared by all its cases and threads."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.ref = DefinitionRef(
            name=definition.workflow, version=definition.version, hash=definition.hash
        )
        self.read_fields = frozenset(
            name
            for step in (definition.start, *definition.transitions)
            for check in (*step.when, *(step.should.when if step.should else ()))
            for name in compile_condition(check.check, definition).references
        )
        self._triggers = {
            state: tuple(dict.fromkeys(rule.trigger for rule in definition.transitions_from(state)))
            for state in definition.states
        }
        ways = [
            ((state, rule.trigger), rule)
            for rule in definition.transitions
            for state in rule.sources
        ]
        self.counted = {way: tuple(rule.counts) for way, rule in ways if rule.counts}
        self.corrections = frozenset(way for way, rule in ways if rule.corrects)
        self._machine = _Machine(
            model=None,
            states=list(definition.states),
            initial=definition.initial,
            auto_transitions=False,
        )
        self.locked = {state: _locked(definition, state) for state in definition.states}
        self.timed = frozenset(name for name, state in definition.states.items() if state.deadline)
        self._start = plan_of(definition.start, definition)
        self._plans = {id(definition.start): self._start}
        for rule in definition.transitions:
            plan = self._plans[id(rule)] = plan_of(rule, definition)
            for source in rule.sources:
                self._machine.add_transition(rule.trigger, source, rule.target(source), plan=plan)

    def triggers(self, state: str) -> tuple[str, ...]:
        """What can be asked for in a state."""
        return self._triggers[state]

    def start(self, attempt: Attempt) -> Taken | None:
        if not self._start.holds(attempt):
            return None
        return Taken(self._start, self.definition.initial, attempt.tried[-1][1])

    def step(self, trigger: str, attempt: Attempt) -> Taken | None:
        """Take the first transition whose guards all hold; ``attempt.tried`` keeps the verdicts.

        The trigger must leave the attempt's state (``triggers``).
        """
        assert attempt.case is not None
        model = _Model(attempt.case.state, attempt)
        self._machine.events[trigger].trigger(model)
        return Taken(model.taken, model.state, attempt.tried[-1][1]) if model.taken else None

    def judge(self, rule: Step, attempt: Attempt) -> tuple[Verdict, ...]:
        """What the rules say of a step that has already been taken."""
        return self._plans[id(rule)].judge(attempt)
