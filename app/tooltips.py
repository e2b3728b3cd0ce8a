"""Everything that has to hold for a step, in words: a line each, as a pointer's rest shows them."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition import Definition
from engine.step import ByAuthority, Children, EvidenceNeed, Guards, Quorum, Step, Transition


def tooltip(step: Step, definition: Definition) -> str:
    lines = [step.about, *map(_authority, step.by), *_asked(step)]
    if isinstance(step, Transition):
        lines.append(f"Counts: {', '.join(step.counts)}" if step.counts else "")
        lines.append(
            f"Corrects, with a reason: {', '.join(step.corrects)}" if step.corrects else ""
        )
    claims = claimed(step, definition)
    lines += [f"Only one at a time {' and '.join(claims)}"] if claims else []
    if step.should:
        lines += [f"Warns only: {line}" for line in _asked(step.should) if line]
    if step.override:
        by, of = " or ".join(step.override.by), ", ".join(step.override.of)
        lines.append(f"May be overridden by {by}, with a reason: {of}")
    return "\n".join(filter(None, lines))


def claimed(step: Step, definition: Definition) -> list[str]:
    """For what there is one at a time, where the step leads to such a state from another."""
    target = step.to if isinstance(step, Transition) else definition.initial
    sources = {*step.sources} if isinstance(step, Transition) else {""}
    return [
        f"for each {' and '.join(one.per)}"
        for one in definition.only_one
        if target in one.inside and not sources.issubset(one.inside)
    ]


def _asked(said: Guards) -> Iterator[str]:
    yield from (f"Condition: {check.check}" for check in said.when)
    yield from map(_evidence, said.evidence)
    yield f"Needs: {', '.join(said.needs)}" if said.needs else ""
    yield f"Said with this step: {', '.join(said.anew)}" if said.anew else ""
    yield f"Not by: {', '.join(said.not_by)}" if said.not_by else ""
    yield f"Agreed by: {', '.join(said.agreed_by)}" if said.agreed_by else ""
    yield _vote(said.quorum) if said.quorum else ""
    yield from map(_children, said.children)


def _authority(who: object) -> str:
    if not isinstance(who, ByAuthority):
        return ""
    matter = who.authority
    worth = f", worth {_named(matter.value)}" if matter.value else ""
    least = f", not below {_named(matter.least)}" if matter.least else ""
    answer = "; a body has voted against it" if matter.answer == "against" else ""
    return (
        f"Authority: for {_named(matter.category)} in {_named(matter.unit)}{worth}{least}{answer}"
    )


def _evidence(need: EvidenceNeed) -> str:
    young = f", newer than {need.newer_than}" if need.newer_than else ""
    when = ", unchanged in this state" if need.unchanged else ", with this step"
    return f"Evidence: {need.kind}{young}{when if need.unchanged or need.anew else ''}"


def _vote(quorum: Quorum) -> str:
    said = [f"Vote: {_named(quorum.body)} is {quorum.answer} it", f"by {quorum.rule} majority"]
    if quorum.rule == "unanimous":
        said[1] = "unanimously"
    said += [f"veto of {', '.join(quorum.veto)}"] if quorum.veto else []
    said += [f"without {', '.join(quorum.without)}"] if quorum.without else []
    return ", ".join([*said, *(["the chair breaks a tie"] if quorum.casting else [])])


def _children(wanted: Children) -> str:
    which = "".join(f" of {name} {_named(value)}" for name, value in wanted.where.items())
    many = f"at least {wanted.least}" if wanted.least else "every"
    inside = f" is {' or '.join(wanted.inside)}" if wanted.inside else ""
    return f"Children: {many} {wanted.workflow}{which}{inside}"


def _named(name: str) -> str:
    """A name, or the field that holds it."""
    return name.replace("data.", "the ", 1) if name.startswith("data.") else name
