"""What scenarios show of a definition, and what none of them does: transitions, deadlines, guards.

A guard is told apart by the rule under which it answers and by words of its reason, where one guard
can have several. Two transitions that leave a state by one trigger answer together, as they do for
whoever pulls it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.definition import Definition, OnlyOne
from engine.events import AnyEvent, CaseStarted, CaseTransitioned, Verdict
from engine.guards import accepted, needed
from engine.step import ByAuthority, Guards, Start, Step, Transition


class Refusal(NamedTuple):
    """A step that was refused, from which state (of none, if it was to start a case), and every
    answer that did not hold."""

    workflow: str
    state: str
    trigger: str
    verdicts: tuple[Verdict, ...]


class Fired(NamedTuple):
    """What a timer did of one of a state's deadlines: it pulled, or reminded, at this share; of a
    period ``per`` a choice, where it was this one."""

    workflow: str
    state: str
    of: int
    share: str
    choice: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """How one scenario went: ``failure`` is empty when it held; and all that happened in it.

    ``stuck``: the background failed, so the scenario did not begin; ``where`` is that step.
    """

    scenario: str
    where: str
    failure: str
    stuck: bool = False
    events: tuple[AnyEvent, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    fired: tuple[Fired, ...] = ()


class _Rule(NamedTuple):
    """How a guard answers: under which name, and with these words among its reason."""

    name: str
    words: str = ""

    def __str__(self) -> str:
        return f"{self.name}, {self.words}" if self.words else self.name

    def spoke(self, verdicts: Iterable[Verdict]) -> bool:
        return any(v.rule == self.name and self.words in v.reason for v in verdicts)


def untouched(definition: Definition, results: Iterable[Result]) -> list[str]:
    """The transitions of a definition that no scenario took, as ``state -trigger-> state``."""
    taken = {(e.source, e.trigger, e.state) for e in _steps(definition, results)}
    arrows = [
        (source, rule.trigger, rule.target(source))
        for rule in definition.transitions
        for source in _apart(rule, taken)
    ]
    return [f"{a} -{trigger}-> {b}" for a, trigger, b in arrows if (a, trigger, b) not in taken]


def _apart(rule: Transition, taken: Collection[tuple[str, str | None, str]]) -> Sequence[str]:
    """The states from which it must be seen. A correction does the same wherever it is made."""
    seen = any((source, rule.trigger, source) in taken for source in rule.sources)
    return () if rule.corrects and seen else rule.sources[: 1 if rule.corrects else None]


def unfired(definition: Definition, results: Iterable[Result]) -> list[str]:
    """What no scenario lets fall due: deadlines, what comes later, and reminders, as
    ``state: trigger at 150% of 10 working days``; and the choices whose period none shows."""
    all_fired = [one for result in results for one in result.fired]
    fired = {one._replace(choice="") for one in all_fired}
    shown = {one._replace(share="") for one in all_fired}
    missing = []
    for name, state in definition.states.items():
        for of, rule in enumerate(state.deadline):
            period = (
                f"{rule.goes_by}'s period" if rule.per else rule.within or rule.on or rule.every
            )
            asked = [(share, "a reminder") for share in rule.remind]
            asked += [("100%", rule.then), *((later.at, later.then) for later in rule.later)]
            missing += [
                f"{name}: {what} at {share} of {period}"
                for share, what in asked
                if Fired(definition.workflow, name, of, share) not in fired
            ]
            missing += [
                f"{name}: anything of {period}, where {rule.goes_by} is {choice}"
                for choice, period in rule.periods.items()
                if choice and Fired(definition.workflow, name, of, "", choice) not in shown
            ]
    return missing


def unrefused(definition: Definition, results: Iterable[Result]) -> list[str]:
    """The guards that no scenario sees stop a step, as ``trigger: guard``."""
    refused: dict[tuple[str, str], list[Verdict]] = {}
    for result in results:
        for one in result.refusals:
            if one.workflow == definition.workflow:
                stopped = [v for v in one.verdicts if v.weight == "shall"]
                refused.setdefault((one.state, one.trigger), []).extend(stopped)
    return [
        f"{_called(step, definition)}: {rule}"
        for step in (definition.start, *definition.transitions)
        for rule in _rules(step, definition)
        if not rule.spoke(_of(step, refused)) and not _only_chooses(rule, step, definition)
    ]


def unwarned(definition: Definition, results: Iterable[Result]) -> list[str]:
    """The guards that warn, or may be gone past, and that no scenario sees do so."""
    told: dict[tuple[str, str], list[Verdict]] = {}
    for result in results:
        for event in result.events:
            if isinstance(event, CaseStarted) and _is_of(definition, event):
                told.setdefault(("", ""), []).extend(event.verdicts)
    for taken in _steps(definition, results):
        told.setdefault((taken.source, taken.trigger), []).extend(taken.verdicts)
    missing = []
    for step in (definition.start, *definition.transitions):
        said = [v for v in _of(step, told) if not v.held]
        warned = [v for v in said if v.weight == "should"]
        overridden = [v for v in said if v.weight == "overridden"]
        rules = _rules_of(step.should, step.should.needs) if step.should else []
        missing += [
            f"{_called(step, definition)}: {rule}" for rule in rules if not rule.spoke(warned)
        ]
        names = (r.name for r in _rules(step, definition) if _may_be_overridden(r, step))
        over = [_Rule(name) for name in dict.fromkeys(names)]
        missing += [
            f"{_called(step, definition)}: {r}, overridden" for r in over if not r.spoke(overridden)
        ]
    return missing


def _steps(definition: Definition, results: Iterable[Result]) -> list[CaseTransitioned]:
    events = [event for result in results for event in result.events]
    return [e for e in events if isinstance(e, CaseTransitioned) and _is_of(definition, e)]


def _is_of(definition: Definition, event: AnyEvent) -> bool:
    return event.definition.name == definition.workflow


def _called(step: Step, definition: Definition) -> str:
    """Its trigger; of several with one trigger, also which of them it is, as they stand."""
    if not isinstance(step, Transition):
        return "start"
    same = [other for other in definition.transitions if other.trigger == step.trigger]
    if len(same) == 1:
        return step.trigger
    place = next(at for at, other in enumerate(same, 1) if other is step)
    return f"{step.trigger} ({place} of {len(same)})"


def _of(step: Step, said: dict[tuple[str, str], list[Verdict]]) -> Iterator[Verdict]:
    """What was said of a step, from all the states that it leaves."""
    sources = step.sources if isinstance(step, Transition) else [""]
    for source in sources:
        yield from said.get((source, step.trigger if isinstance(step, Transition) else ""), ())


def _rules(step: Step, definition: Definition) -> list[_Rule]:
    """The guards that can stop a step, by how they answer."""
    rules = [_Rule("by")] if step.by else []
    if isinstance(step, Transition):
        rules += [_Rule("gone_up")] if step.gone_up else []
        rules += [_Rule("counts")] if step.counts else []
        rules += [_Rule("corrects")] if step.corrects else []
    rules += _rules_of(step, list(needed(step, definition)))
    votes = any(isinstance(who, ByAuthority) for who in step.by)
    if votes:
        rules.append(_Rule("authority"))
    if votes or step.quorum or step.agreed_by:
        rules.append(_Rule("conflict"))
    if any(_takes(one, step, definition) for one in definition.only_one):
        rules.append(_Rule("only_one"))
    if step.override:
        rules += [_Rule("override", "may override"), _Rule("override", "says why")]
    return rules


def _rules_of(said: Guards, needs: list[str]) -> list[_Rule]:
    rules = [_Rule("not_by")] if said.not_by else []
    rules += [_Rule("needs")] if needs else []
    rules += [_Rule("anew")] if said.anew else []
    for need in said.evidence:
        words = ["needs a", *(["older than"] if need.newer_than else [])]
        words += ["has come since"] if need.unchanged else []
        rules += [_Rule(f"evidence {need.kind}", each) for each in words]
    rules += [_Rule(f"agreed_by {role}") for role in said.agreed_by]
    rules += [_Rule("quorum")] if said.quorum else []
    for children in said.children:
        least, which = children.least, children.called
        reason = f"every {which}" if least is None else f"at least {least} {which}"
        rules.append(_Rule(f"children {children.workflow}", reason))
    return rules + [_Rule(check.check) for check in said.when]


def _takes(one: OnlyOne, step: Step, definition: Definition) -> bool:
    """Whether the step takes a claim that the case had not before."""
    if isinstance(step, Start):
        return definition.initial in one.inside
    assert isinstance(step, Transition)
    inside = {source for source in step.sources if step.target(source) in one.inside}
    changes = not set(one.per).isdisjoint(accepted(step, definition))
    return bool(inside) and (changes or not inside <= set(one.inside))


def _may_be_overridden(rule: _Rule, step: Step) -> bool:
    kind = rule.name.split(" ")[0]
    if step.override is None:
        return False
    if any(check.check == rule.name for check in step.when):
        kind = "when"
    return kind in step.override.of


def _only_chooses(rule: _Rule, step: Step, definition: Definition) -> bool:
    """Whether a guard can stop nobody, because another way by the same trigger asks for less: all
    that this one asks for, but not that. It says which of the two ways is gone."""
    if not isinstance(step, Transition):
        return False
    rest = {_worded(each, step) for each in _rules(step, definition) if each != rule}
    return any(
        other is not step
        and other.trigger == step.trigger
        and set(step.sources) <= set(other.sources)
        and {_worded(each, other) for each in _rules(other, definition)} <= rest
        for other in definition.transitions
    )


def _worded(rule: _Rule, step: Step) -> tuple[_Rule, str]:
    """A guard with what it asks for, where its name does not say that."""
    asked = ("by", "counts", "corrects", "not_by", "needs", "anew", "quorum")
    return rule, repr(getattr(step, rule.name) if rule.name in asked else "")
