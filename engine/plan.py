"""A step made ready: what its definition settles once for all is not asked at every command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.attempt import Attempt, Guard, Judge
from engine.definition import Definition
from engine.escalating import escalation_of
from engine.events import Basis, Escalated, Verdict
from engine.governance import basis_of
from engine.guards import guards_of
from engine.standing import Standing, standing_of
from engine.step import Override, Step, Transition


@dataclass(frozen=True, slots=True)
class Plan:
    """``name``: what the step records is called. ``standing`` tells as what an actor takes it,
    ``basis`` on what it rests; ``tells`` are the fields of which it says what they held before,
    ``escalates`` tells from whom to whom the matter goes."""

    step: Step
    name: str
    standing: Callable[[Attempt], Standing]
    basis: Callable[[Attempt], Basis | None] | None
    stays: bool
    tells: tuple[str, ...]
    escalates: Callable[[Attempt], Escalated] | None
    guards: tuple[Guard, ...]
    judges: tuple[Judge, ...]

    def holds(self, attempt: Attempt) -> bool:
        """Evaluate every guard, keep every verdict; whether nothing stands against the step."""
        verdicts = tuple([judge(attempt) for judge in self.judges])
        if self.step.override and attempt.overriding:
            verdicts = self._overridden(verdicts, self.step.override)
        attempt.tried.append((self.step, verdicts))
        return not [v for v in verdicts if not v.held and v.weight == "shall"]

    def judge(self, attempt: Attempt) -> tuple[Verdict, ...]:
        """Every guard's answer."""
        return tuple([judge(attempt) for judge in self.judges])

    def _overridden(self, verdicts: tuple[Verdict, ...], said: Override) -> tuple[Verdict, ...]:
        return tuple(
            replace(verdict, weight="overridden")
            if not verdict.held and guard.kind in said.of
            else verdict
            for guard, verdict in zip(self.guards, verdicts, strict=True)
        )


def plan_of(step: Step, definition: Definition) -> Plan:
    guards = guards_of(step, definition)
    return Plan(
        step=step,
        name=definition.emits(step),
        standing=standing_of(step, definition),
        basis=basis_of(step),
        stays=isinstance(step, Transition) and step.to is None,
        tells=step.told if isinstance(step, Transition) else (),
        escalates=escalation_of(step),
        guards=guards,
        judges=tuple(guard.judge for guard in guards),
    )
