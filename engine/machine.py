"""One flat, shared state machine for each definition; the one home of ``transitions``.

The library finds the transitions that leave a state by a trigger and tries them in order; ours
evaluates *all* guards of each it tries and keeps every verdict. There are no callbacks, no
automatic ``to_<state>()`` (they would go past the guards), and no model is ever attached: a bare
one is stepped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import transitions

from engine.attempt import Attempt, Guard
from engine.conditions import compile_condition
from engine.definition import Definition, Start, Step
from engine.definition import Transition as TransitionRule
from engine.events import DefinitionRef, Verdict
from engine.guards import guards_of


class _GuardedTransition(transitions.Transition):
    def __init__(self, source: str, dest: str, rule: TransitionRule, guards: tuple[Guard, ...]):
        super().__init__(source, dest)
        self.target = dest
        self.rule = rule
        self.guards = guards


class _GuardedEvent(transitions.Event):
    """The library's trigger without its callback chains, of which we use none."""

    def trigger(self, model: Any, *_: Any, **__: Any) -> bool:
        for transition in cast("list[_GuardedTransition]", self.transitions[model.state]):
            if model.attempt.ask(transition.rule, transition.guards):
                model.state = transition.target
                return True
        return False


class _Machine(transitions.Machine):
    event_cls = _GuardedEvent

    @classmethod
    def _create_transition(cls, *args: Any, **given: Any) -> _GuardedTransition:
        return _GuardedTransition(args[0], args[1], given["rule"], given["guards"])


@dataclass(slots=True)
class _Model:
    """What the machine steps: a state, and the attempt that guards are asked about."""

    state: str
    attempt: Attempt


class Taken(NamedTuple):
    """The step that was taken, what it records, the state it led to, its guards' verdicts."""

    step: Step
    name: str
    state: str
    verdicts: tuple[Verdict, ...]
    stays: bool = False


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
        start_guards = guards_of(definition.start, definition)
        self._machine = _Machine(
            model=None,
            states=list(definition.states),
            initial=definition.initial,
            auto_transitions=False,
        )
        steps = (definition.start, *definition.transitions)
        self._names = {id(step): definition.emits(step) for step in steps}
        self._guards = {id(definition.start): start_guards}
        for rule in definition.transitions:
            guards = self._guards[id(rule)] = guards_of(rule, definition)
            for source in rule.sources:
                self._machine.add_transition(
                    rule.trigger, source, rule.target(source), rule=rule, guards=guards
                )

    def triggers(self, state: str) -> tuple[str, ...]:
        """What can be asked for in a state."""
        return self._triggers[state]

    def start(self, attempt: Attempt) -> Taken | None:
        start: Start = self.definition.start
        if not attempt.ask(start, self._guards[id(start)]):
            return None
        name, initial = self._names[id(start)], self.definition.initial
        return Taken(start, name, initial, attempt.tried[-1][1])

    def step(self, trigger: str, attempt: Attempt) -> Taken | None:
        """Take the first transition whose guards all hold; ``attempt.tried`` keeps the verdicts.

        The trigger must leave the attempt's state (``triggers``).
        """
        assert attempt.case is not None
        model = _Model(attempt.case.state, attempt)
        if not self._machine.events[trigger].trigger(model):
            return None
        rule, verdicts = attempt.tried[-1]
        stays = isinstance(rule, TransitionRule) and rule.to is None
        return Taken(rule, self._names[id(rule)], model.state, verdicts, stays)

    def judge(self, rule: Step, attempt: Attempt) -> tuple[Verdict, ...]:
        """What the rules say of a step that has already been taken."""
        return tuple([guard.judge(attempt) for guard in self._guards[id(rule)]])
