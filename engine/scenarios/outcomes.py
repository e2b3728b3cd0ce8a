"""Whether what came of a step is what was said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from engine import values
from engine.errors import Answer, BadInput, PmoError, Refused
from engine.events import Escalated, Verdict
from engine.scenarios.steps import Elsewhere, Outcome
from engine.service import Receipt, Service


def difference(service: Service, then: Outcome, answer: Receipt | PmoError, before: int) -> str:
    """What is otherwise than it was to be, in words; empty when nothing is.

    ``answer`` is what the service said to the step, ``before`` the log's head before it; reactions
    have run since.
    """
    try:
        match answer:
            case Refused():
                found = _refused(then, answer)
            case BadInput():
                wanted = then.bad_input
                found = "" if wanted and wanted in str(answer) else f"when: {answer}"
            case PmoError():
                raise answer
            case _:
                found = _done(service, then, answer)
        return found or _elsewhere(service, then, before)
    except BadInput as error:
        return f"then: {error}"


def _refused(then: Outcome, refusal: Refused) -> str:
    return f"when: {refusal}" if then.refused is None else lacks(refusal, then.refused)


def lacks(refusal: Refused, wanted: Sequence[str]) -> str:
    """The words that no reason of a refusal contains; empty when none is missing."""
    missing = _missing(wanted, _reasons(refusal.verdicts))
    return f"refused, but not for: {', '.join(missing)}\n{refusal}" if missing else ""


def _done(service: Service, then: Outcome, receipt: Receipt) -> str:
    if then.refused is not None or then.bad_input is not None:
        return f"was accepted ({receipt.names[-1]}), should have been refused"
    case = service.case(receipt.stream)
    event = service.log.stream(receipt.stream, receipt.version - 1)[0].event
    conformance = getattr(event, "conformance", None)
    fields = service.catalog.pinned(case.definition).definition.data
    compared = [
        ("state", then.state, case.state),
        ("emits", then.emits, receipt.names[-1]),
        ("conformance", then.conformance, conformance.verdict if conformance else None),
    ]
    compared = [row for row in compared if row[1] is not None]
    for name, wanted in values.read_all(fields, then.data, "/then/data").items():
        compared.append((f"data.{name}", wanted, case.data.get(name)))
    told = getattr(event, "before", None) or {}
    for name, wanted in values.read_all(fields, then.before, "/then/before").items():
        compared.append((f"before.{name}", wanted, told.get(name)))
    if then.escalated:
        has = getattr(event, "escalated", None) or Escalated()
        for end in ("source", "to"):
            party = getattr(has, end)
            wanted, found = getattr(then.escalated, end), party.name if party else None
            compared.append((f"escalated.{end}", wanted, found))
    differences = [
        f"{what} is {found!r}, should be {wanted!r}"
        for what, wanted, found in compared
        if wanted != found
    ]
    verdicts: tuple[Verdict, ...] = getattr(event, "verdicts", ())
    differences += _told("warned", then.warned, [v for v in verdicts if v.weight == "should"])
    overridden = [v for v in verdicts if v.weight == "overridden"]
    differences += _told("overridden", then.overridden, overridden)
    return "; ".join(differences)


def _told(what: str, wanted: Sequence[str] | None, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """How what guards said without stopping anybody is not what it should be."""
    if wanted is None:
        return
    reasons = _reasons(verdicts)
    said = "; ".join(reasons) or "nothing"
    missing = _missing(wanted, reasons)
    if missing:
        yield f"{what} is {said}, should contain: {', '.join(missing)}"
    if reasons and not wanted:
        yield f"{what} is {said}, should be nothing"


def _reasons(verdicts: Iterable[Answer]) -> list[str]:
    return [f"{verdict.rule}: {verdict.reason}" for verdict in verdicts if not verdict.held]


def _missing(wanted: Sequence[str], reasons: Sequence[str]) -> list[str]:
    return [word for word in wanted if not any(word in reason for reason in reasons)]


def _elsewhere(service: Service, then: Outcome, before: int) -> str:
    """What is otherwise in the cases that ``also`` names; events after ``before`` count."""
    for index, wanted in enumerate(then.also):
        differences = [*_differences(service, wanted, before, f"/then/also/{index}/data")]
        if differences:
            return f"{wanted.case}: {'; '.join(differences)}"
    return ""


def _differences(service: Service, wanted: Elsewhere, before: int, where: str) -> Iterator[str]:
    case = service.case(wanted.case)
    stream = service.log.stream(wanted.case)
    names = [recorded.event.name for recorded in stream if recorded.position > before]
    fields = service.catalog.pinned(case.definition).definition.data
    if wanted.state not in (None, case.state):
        yield f"state is {case.state!r}, should be {wanted.state!r}"
    if wanted.emits is not None and wanted.emits not in names:
        yield f"emits {', '.join(names) or 'nothing'}, should emit {wanted.emits}"
    for name, value in values.read_all(fields, wanted.data, where).items():
        if case.data.get(name) != value:
            yield f"data.{name} is {case.data.get(name)!r}, should be {value!r}"
