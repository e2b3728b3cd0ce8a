"""The shape of answers, for the OpenAPI document. Answers themselves are written without these."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field


class ReceiptAnswer(BaseModel):
    """What a command brought about; the same whenever the same command is sent again."""

    stream: str
    version: int
    position: int
    state: str | None
    names: list[str]
    recorded_at: str
    warnings: list[str]


class ProblemAt(BaseModel):
    where: str
    what: str
    mend: str


class VerdictAnswer(BaseModel):
    rule: str
    held: bool | None
    reason: str
    weight: str


class ProblemAnswer(BaseModel):
    """Problem details (RFC 9457). ``code`` is stable; texts are for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    problems: list[ProblemAt] = []
    verdicts: list[VerdictAnswer] = []


class OfferAnswer(BaseModel):
    """A step out of the present state: the trigger to pull, who may, and what it takes.

    ``needs`` are fields that the case does not have yet; ``anew`` is what must come with the step
    itself, `reason` being the command's own; of what it ``takes``, ``corrects`` is what it mends if
    it was typed wrong. ``governed``: votes, agreement, authority
    or children count as well, and a refusal says what is missing of them.
    """

    trigger: str
    to: str
    by: list[str]
    not_by: list[str]
    needs: list[str]
    anew: list[str]
    takes: list[str]
    corrects: list[str]
    evidence: list[str]
    conditions: list[str]
    agreed_by: list[str]
    governed: bool
    overridable: str
    emits: str
    about: str


class GoneUp(BaseModel):
    """From whom (``null``: nobody was in force) a case has gone up, to whom, and when; as long as
    it is in the state in which it did."""

    source: Annotated[str | None, Field(alias="from")]
    to: str
    on: str


class CaseAnswer(BaseModel):
    """A case as a view has it. ``views_position``: the answer knows the log up to there.

    ``next`` is what can be asked for now; ``null`` where a moment in the past was asked about.
    """

    key: str
    workflow: str
    title: Any
    state: str | None
    version: int
    definition_version: int
    position: int
    occurred_at: str
    recorded_at: str
    as_of: str | None
    known_at: str | None
    data: dict[str, Any]
    evidence: list[dict[str, Any]]
    acted: dict[str, list[str]]
    signed: list[dict[str, Any]]
    recused: list[str]
    children: list[dict[str, Any]]
    gone_up: GoneUp | None
    next: list[OfferAnswer] | None
    views_position: int


class CasesAnswer(BaseModel):
    total: int
    cases: list[dict[str, Any]]
    views_position: int


class JudgedOffer(OfferAnswer):
    """A step that somebody may take now, with whatever it needs; if by a delegation, by which.

    ``warned``: what should be otherwise, and stops nobody. ``decided_by`` and ``missing`` are
    empty.
    """

    decided_by: list[str]
    missing: list[str]
    warned: list[str]
    may: bool
    on_behalf_of: str


class BallotAnswer(BaseModel):
    """A body or role for which somebody may answer (a command of kind ``sign``)."""

    of: str
    on_behalf_of: str


class WaitingCase(BaseModel):
    """A case: since when it is in its state, the day that ends that, the day on which somebody is
    chased for it, whether one of these has passed, and to whom it has gone up."""

    key: str
    title: Any
    workflow: str
    state: str
    since: str
    until: str | None
    chased: str | None
    late: bool
    gone_up: GoneUp | None


class WaitingForOne(WaitingCase):
    """``may``: whether they can do anything now. ``cannot``: why not the rest, by trigger."""

    may: bool
    can: list[JudgedOffer]
    sign: list[BallotAnswer]
    cannot: dict[str, list[str]]


class WaitingForAnybody(WaitingCase):
    """``asked``: persons by name, where they are known; else roles and bodies."""

    asked: list[str]


class WaitingAnswer(BaseModel):
    """The same as of ``pmo waiting --json``. ``more``: whether there are cases after these."""

    asker: Annotated[str | None, Field(alias="as")]
    cases: list[WaitingForOne] | list[WaitingForAnybody]
    more: bool
    views_position: int


class CloudEventAnswer(BaseModel):
    """A CloudEvent 1.0 in structured mode."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    dataschema: str
    partitionkey: str
    sequence: str
    correlationid: str
    causationid: str | None = None
    traceparent: str | None = None
    data: dict[str, Any]


class CaseEventsAnswer(BaseModel):
    """``next_after``: the version to go on after."""

    events: list[CloudEventAnswer]
    next_after: int


class FeedAnswer(BaseModel):
    """``next_after``: the position to go on after, whether or not anything was found."""

    events: list[CloudEventAnswer]
    next_after: int
    head: int


class StatusAnswer(BaseModel):
    status: str
