"""What a step says: who may take it, what must be so before, and what comes of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field as Constrained

from engine.grammar import (
    Condition,
    DataPath,
    DomainName,
    Grammar,
    Listed,
    Maybe,
    Name,
    Named,
    Period,
    Short,
    Word,
    WorkflowName,
)


class EvidenceNeed(Grammar):
    """A document of this kind must be attached, its ``as_of`` not older than ``newer_than``, and,
    if ``unchanged``, none of its kind since the state was entered; or, if ``anew``, it must come
    with the step itself."""

    kind: Word
    newer_than: Maybe[Period] = None
    unchanged: bool = False
    anew: bool = False


class Check(Grammar):
    """A condition in CEL, and what to tell the person for whom it does not hold."""

    check: Condition
    otherwise: str = ""


Verdicted = Literal["for", "against"]
VoteRule = Literal["simple", "two thirds", "unanimous", "weighted"]


class Quorum(Grammar):
    """A body has voted for it: enough of those entitled, by this majority, against no veto; or,
    with ``answer: against``, has voted and was not for it. The persons in the fields ``without``
    have no vote."""

    body: Named
    answer: Verdicted = "for"
    without: Listed[Name] = []
    rule: VoteRule = "simple"
    veto: Listed[Word] = []
    casting: bool = False


class Children(Grammar):
    """Every case that names this one as its parent (of these values) is in one of the states; or,
    with ``least``, so many are. A value is as it stands, or that of this case's ``data.FIELD``."""

    workflow: WorkflowName
    inside: Annotated[Listed[Word], Constrained(alias="in")] = []
    where: dict[Name, str] = {}
    least: Maybe[Annotated[int, Constrained(ge=1, le=1_000)]] = None

    @property
    def called(self) -> str:
        """Which children are meant, in words: *every* ..., *at least 2* ..."""
        fields = {name for name, value in self.where.items() if value.startswith("data.")}
        kinds = [value for name, value in self.where.items() if name not in fields]
        ours = "".join(f" of this {name}" for name in self.where if name in fields)
        return " ".join([*kinds, self.workflow]) + ours


class ByPerson(Grammar):
    """The actor whom the data field ``person`` names."""

    person: Name


class AuthorityOf(Grammar):
    """What kind of matter it is, what it is worth, and where; and below which level of the ladder
    nobody may, though the matter be small."""

    category: Named
    value: Maybe[DataPath] = None
    unit: Named
    least: Maybe[DataPath] = None
    answer: Verdicted = "for"
    without: Listed[Name] = []


class ByAuthority(Grammar):
    """Whoever the authority in force lets decide such a matter: a role, or a body that votes."""

    authority: AuthorityOf


REASON = "reason"
"""What ``anew`` calls the reason of the command itself, unless a field is called so."""


class Guards(Grammar):
    """What must be so before a step is taken (or, under ``should``, what had better be so).

    What it ``needs`` may be there from before; what is said ``anew`` comes with the step itself.
    """

    not_by: Listed[Word] = []
    needs: Listed[Name] = []
    anew: Listed[Name] = []
    evidence: Listed[Annotated[EvidenceNeed, Short("kind")]] = []
    agreed_by: Listed[Word] = []
    quorum: Maybe[Annotated[Quorum, Short("body")]] = None
    children: Listed[Annotated[Children, Short("workflow")]] = []
    when: Listed[Annotated[Check, Short("check")]] = []


GuardKind = Literal[
    "not_by", "needs", "anew", "evidence", "agreed_by", "quorum", "children", "when"
]


class Override(Grammar):
    """Who may go ahead although some of the guards do not hold, and which; always with a reason."""

    by: Listed[Word]
    of: Listed[GuardKind]


class Step(Guards):
    """What starting and every transition share: who may, with what, and what it is called."""

    by: Listed[Word | ByPerson | ByAuthority] = []
    accepts: Maybe[Listed[Name]] = None
    should: Maybe[Guards] = None
    override: Maybe[Override] = None
    emits: Maybe[DomainName] = None
    about: str = ""


class Escalation(Grammar):
    """From whom a matter goes up, and to whom: the first of ``to`` that is somebody else; of an
    authority, the level above."""

    source: Annotated[Word | ByPerson | ByAuthority, Constrained(alias="from")]
    to: Annotated[Listed[Word | ByPerson | ByAuthority], Constrained(min_length=1)]


class Start(Step):
    """How a case begins. It accepts every field unless ``accepts`` says which."""


class Transition(Step):
    """From one of some states to one state; without ``to`` the case stays where it is, and so do
    the votes it has and the deadlines it is under. It accepts what it ``needs`` and wants ``anew``
    unless told more.
    Its event says what the fields that it ``tells`` held before, and, if it ``escalates``, from
    whom to whom; one for what has ``gone_up`` is for nobody else than whom that has gone to. Of a
    number that it ``counts`` it takes the next one, by itself. One that
    ``corrects`` mends what was typed wrong in these fields, and nothing else: from a final state,
    too, with a reason, and as if it had never been so.
    """

    trigger: Word
    sources: Annotated[Listed[Word], Constrained(alias="from", min_length=1)]
    to: Maybe[Word] = None
    tells: Listed[Name] = []
    counts: Listed[Name] = []
    corrects: Listed[Name] = []
    escalates: Maybe[Escalation] = None
    gone_up: bool = False

    @property
    def told(self) -> tuple[str, ...]:
        """The fields of which its event may say what they held before."""
        return (*self.tells, *self.corrects)

    @property
    def is_correction(self) -> bool:
        """Whether it is written as one, though it may name nothing yet that it corrects."""
        return "corrects" in self.model_fields_set

    def target(self, source: str) -> str:
        return self.to or source
