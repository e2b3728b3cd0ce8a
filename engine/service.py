"""Where commands become events: load, decide, append, answer.

Commands that wait at the same moment are decided one after another, each on the state the ones
before it bring about, and appended in one transaction: one fsync for all of them. Callers serve
each other, so the service needs no thread of its own and a single caller pays for no hand-over.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from engine import canonical, decide, ids, observing, signing, values
from engine.callers import Call, Line
from engine.case import Case, fold
from engine.catalog import Catalog, Published, stream_of, succeeds
from engine.clock import Clock, SystemClock
from engine.commands import (
    AttachEvidence,
    Command,
    DeclareConflict,
    Observe,
    PublishDefinition,
    PullTrigger,
    Remind,
    Sign,
    StartCase,
)
from engine.context import Context
from engine.cycles import uncollected
from engine.decide import Decision
from engine.definition import Definition
from engine.errors import BadInput, CommandIdReused, Contended, Faulty, NotFound, PmoError, Refused
from engine.events import (
    Actor,
    CommandRefused,
    DefinitionPublished,
    DefinitionRef,
    Verdict,
)
from engine.keys import Keys
from engine.lint import lint
from engine.machine import Workflow
from engine.store.log import Append, Appended, Conflict, Log, Marked, Recorded
from engine.validation import explain

LARGEST_GROUP = 500
_MANY = 100
"""Commands of a group from which on the search for cycles waits until it is written."""
MOST_ROUNDS = 50
CASES_KEPT = 50_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a command brought about: the same for the same command id, however often it is sent.

    ``warnings`` tell what only should have been so and was not, and what was overridden.
    """

    stream: str
    version: int
    position: int
    state: str | None
    names: tuple[str, ...]
    recorded_at: str
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Ticket:
    """A command waiting for its answer."""

    command: Command
    marker: bytes
    fingerprint: bytes
    answer: Receipt | PmoError | None = None


class _Draft(NamedTuple):
    """What a command would write, and the versions of every stream it was judged by."""

    decision: Decision
    expected: dict[str, int]


@dataclass(slots=True)
class _Round:
    """One group under way: the instant it is decided at, and the cases as its drafts leave them.

    ``find`` gives a case as the group has left it so far: as drafted, as kept, else from the log.
    """

    now: str
    cases: dict[str, Case]
    find: Callable[[str], Case | None]
    seen: set[bytes] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)  # streams of drafts that were not written


class Service:
    """Handles commands, from any number of threads, on one log."""

    def __init__(
        self,
        log: Log,
        clock: Clock | None = None,
        new_id: Callable[[], str] = ids.new_id,
        cases_kept: int = CASES_KEPT,
        workflows: Mapping[str, Workflow] | None = None,
    ) -> None:
        """``workflows``: some that were made ready elsewhere, by the hash of their definition."""
        self.log = log
        self.catalog = Catalog(log, workflows)
        self._clock = clock or SystemClock()
        self._new_id = new_id
        self._kept: OrderedDict[str, Case] = OrderedDict()
        self._absent: set[str] = set()  # streams that had no events when last looked at
        self._cases_kept = cases_kept
        self._keys = Keys(log)
        self._latest = ""
        self._line: Line[_Ticket] = Line()

    def handle(self, command: Command) -> Receipt:
        """The receipt, once what it speaks of is durable.

        Raises ``Refused`` with every verdict, ``BadInput`` for what cannot be read, ``Contended``
        when other writers never let go, ``StoreFailed`` when the log could not be written.
        """
        answer = self.handle_many([command])[0]
        if isinstance(answer, PmoError):
            raise answer from answer.__cause__
        return answer

    def handle_many(self, commands: Iterable[Command]) -> list[Receipt | PmoError]:
        """An answer for each command, in order; a refused one changes nothing for the others."""
        tickets = [_ticket(command) for command in commands]
        readable = [ticket for ticket in tickets if ticket.answer is None]
        for first in range(0, len(readable), LARGEST_GROUP):
            call = Call(readable[first : first + LARGEST_GROUP])
            self._line.join(call)
            if call.leads:
                self._lead(call)
        return [ticket.answer for ticket in tickets if ticket.answer is not None]

    def case(self, key: str) -> Case:
        """The case as the log has it now. Raises ``NotFound``."""
        case = fold(recorded.event for recorded in self.log.stream(key))
        if case is None:
            raise _no_case(key)
        return case

    def _lead(self, own: Call[_Ticket]) -> None:
        """Answer one group, our own call among it, and hand over."""
        calls = self._line.gather(LARGEST_GROUP)
        try:
            self._serve([ticket for call in calls for ticket in call.tickets])
        finally:
            for call in calls:
                if call is not own:
                    call.wake.release()
            self._line.hand_over()

    def _serve(self, group: Sequence[_Ticket]) -> None:
        """Answer a group; if the log cannot be written, all of it with the same reason."""
        with uncollected() if len(group) >= _MANY else nullcontext():
            self._answer(group)

    def _answer(self, group: Sequence[_Ticket]) -> None:
        pending = group
        lost = 0  # rounds in a row in which nobody was answered
        try:
            while lost < MOST_ROUNDS:
                before, pending = len(pending), self._attempt(pending)
                if not pending:
                    return
                lost = lost + 1 if len(pending) == before else 0
            failure: PmoError = Contended(
                "other writers kept changing what this is judged by; send it again"
            )
        except PmoError as error:
            failure = error
        except BaseException:
            # A fault of ours must leave nobody waiting, and no fold that was never written.
            self._fail(group, PmoError("the service failed while it handled this command"))
            raise
        self._fail(group, failure)

    def _fail(self, group: Sequence[_Ticket], failure: PmoError) -> None:
        self._forget()
        for ticket in group:
            ticket.answer = ticket.answer or failure

    def _attempt(self, group: Sequence[_Ticket]) -> list[_Ticket]:
        """Decide and append a group; those that lost a race, to be tried again."""
        self._latest = now = max(self._clock.now(), self._latest)
        self._look_ahead(group)
        drafted: dict[str, Case] = {}
        current = _Round(now, drafted, lambda key: drafted.get(key) or self._find(key))
        drafts: list[tuple[_Ticket, _Draft]] = []
        refused: list[tuple[_Ticket, _Draft]] = []
        unfit: list[tuple[_Ticket, BadInput]] = []
        again: list[_Ticket] = []
        for ticket in group:
            if ticket.marker in current.seen:
                again.append(ticket)
                continue
            current.seen.add(ticket.marker)
            try:
                draft = self._draft(ticket.command, current)
            except BadInput as error:
                unfit.append((ticket, error))
                continue
            except PmoError:
                raise
            except Exception as error:  # noqa: BLE001  it must not take its neighbours with it
                ticket.answer = _faulty(ticket.command, error)
                continue
            if isinstance(draft, Receipt):
                ticket.answer = self._answered_before(ticket) or draft
                continue
            decision = draft.decision
            if not decision.events:
                refused.append((ticket, draft))
                continue
            for case in decision.changed:
                current.cases[case.key] = case
            drafts.append((ticket, draft))
        if drafts:
            again.extend(self._append(drafts, current))
        # A command that had its effect cannot have it now because of it. And nobody is turned away
        # on the ground of what was never written, nor of what others have outrun.
        for ticket, draft in refused:
            if before := self._answered_before(ticket):
                ticket.answer = before
            elif self._stale(draft.expected) or not current.lost.isdisjoint(draft.expected):
                again.append(ticket)
            else:
                ticket.answer = draft.decision.refusal
        for ticket, wrong in unfit:
            if self._outdated(ticket.command) or current.lost:
                again.append(ticket)
            else:
                ticket.answer = self._answered_before(ticket) or wrong
        return again

    def _append(self, drafts: list[tuple[_Ticket, _Draft]], current: _Round) -> list[_Ticket]:
        answers = self.log.append(
            [
                Append(draft.decision.events, draft.expected, ticket.marker, ticket.fingerprint)
                for ticket, draft in drafts
            ]
        )
        again = []
        for (ticket, draft), answer in zip(drafts, answers, strict=True):
            if not isinstance(answer, Appended):
                current.lost.update([event.stream for event in draft.decision.events])
            match answer:
                case Appended():
                    for case in draft.decision.changed:
                        self._keep(case)
                    ticket.answer = draft.decision.refusal or _receipt(answer.events)
                case Marked():
                    self._keys.forget()
                    ticket.answer = self._answer_again(ticket, answer)
                case Conflict():
                    self._forget(draft.expected)
                    again.append(ticket)
        return again

    def _draft(self, command: Command, current: _Round) -> _Draft | Receipt:
        match command:
            case PullTrigger():
                return self._pull(command, current)
            case Observe():
                return self._observe(command, current)
            case StartCase():
                return self._start(command, current)
            case AttachEvidence():
                return self._attach(command, current)
            case Remind():
                return self._remind(command, current)
            case Sign() | DeclareConflict():
                return self._sign(command, current)
            case PublishDefinition():
                return self._publish(command, current)
        raise TypeError(f"no such command: {type(command).__name__}")

    def _pull(self, command: PullTrigger, current: _Round) -> _Draft:
        case = self._case(command.case, current)
        context = self._context(current)
        decision = decide.pull(command, case, self.catalog.pinned(case.definition), context)
        return _Draft(decision, {**context.reads, case.key: case.version})

    def _attach(self, command: AttachEvidence, current: _Round) -> _Draft:
        case = self._case(command.case, current)
        decision = decide.attach(command, case, self._context(current))
        return _Draft(decision, {case.key: case.version})

    def _remind(self, command: Remind, current: _Round) -> _Draft:
        case = self._case(command.case, current)
        decision = decide.remind(command, case, self._context(current))
        return _Draft(decision, {case.key: case.version})

    def _sign(self, command: Sign | DeclareConflict, current: _Round) -> _Draft:
        case = self._case(command.case, current)
        context = self._context(current)
        workflow = self.catalog.pinned(case.definition)
        if isinstance(command, Sign):
            decision = signing.sign(command, case, workflow, context)
        else:
            decision = signing.declare(command, case, context)
        return _Draft(decision, {**context.reads, case.key: case.version})

    def _start(self, command: StartCase, current: _Round) -> _Draft:
        published = self.catalog.newest(command.workflow)
        definition = published.workflow.definition
        key = self._keys.propose(definition, command.data)
        context = self._context(current)
        expected = {key: 0, stream_of(command.workflow): published.stream_version}
        if definition.key_fields and (there := current.find(key)):
            taken = Verdict(rule="key", held=False, reason=f"{key} exists already")
            refusal = Refused(f"{command.workflow} cannot start", (taken,))
            return _Draft(Decision((), None, refusal), {key: there.version})
        decision = decide.start(command, key, published.workflow, context)
        draft = _Draft(decision, {**context.reads, **expected})
        if draft.decision.events:
            self._keys.take(definition)
        return draft

    def _observe(self, command: Observe, current: _Round) -> _Draft:
        if not values.CASE_KEY.fullmatch(command.case):
            raise BadInput.one("/case", f"{command.case!r} cannot be the key of a case")
        case = current.find(command.case)
        expected = {command.case: case.version if case else 0}
        if case:
            workflow = self.catalog.pinned(case.definition)
        else:
            published = self.catalog.newest(command.workflow)
            workflow = published.workflow
            expected[stream_of(command.workflow)] = published.stream_version
        if workflow.definition.workflow != command.workflow:
            name = workflow.definition.workflow
            raise BadInput.one("/workflow", f"{command.case} is a case of {name}")
        context = self._context(current)
        decision = observing.observe(command, case, workflow, context)
        return _Draft(decision, {**context.reads, **expected})

    def _publish(self, command: PublishDefinition, current: _Round) -> _Draft | Receipt:
        try:
            definition = Definition.from_body(command.body)
        except ValidationError as error:
            raise explain(Definition, command.body, error) from None
        name = definition.workflow
        newest: Published | None = None
        if self.catalog.refresh(name):
            newest = self.catalog.newest(name)
            if newest.workflow.definition.hash == definition.hash:
                return _receipt(self.log.stream(stream_of(name))[-1:])
        before = newest.workflow.definition if newest else None
        if problems := [*lint(definition), *succeeds(definition, before)]:
            raise BadInput(problems)
        version = newest.stream_version if newest else 0
        event = DefinitionPublished(
            event_id=self._new_id(),
            stream=stream_of(name),
            version=version + 1,
            name="DefinitionPublished",
            recorded_at=current.now,
            occurred_at=current.now,
            actor=Actor(id=command.actor.id, kind=command.actor.kind),
            role=command.actor.roles[0] if command.actor.roles else None,
            definition=DefinitionRef(name=name, version=definition.version, hash=definition.hash),
            command_id=command.command_id,
            correlation_id=command.correlation_id or command.command_id,
            reason=command.reason,
            body=definition.body,
            text=command.text,
        )
        self._forget((event.stream,))
        return _Draft(Decision((event,), None), {event.stream: version})

    def _context(self, current: _Round) -> Context:
        return Context(current.now, self._new_id, current.find, self.catalog.definition)

    def _case(self, key: str, current: _Round) -> Case:
        case = current.find(key)
        if case is None:
            self._absent.discard(key)  # another process may have started it since
            case = current.find(key)
        if case is None:
            raise _no_case(key)
        return case

    def _find(self, key: str) -> Case | None:
        """The case as the log has it: what is kept, else what is read."""
        if case := self._kept.get(key):
            return case
        if key in self._absent:
            return None
        if case := fold(recorded.event for recorded in self.log.stream(key)):
            self._keep(case)
        else:
            self._absent.add(key)
        return case

    def _look_ahead(self, group: Sequence[_Ticket]) -> None:
        """Find out at once which of the cases that are observed are new: one by one, that would
        cost more than all else about them."""
        observed = [ticket.command.case for ticket in group if isinstance(ticket.command, Observe)]
        unknown = {key for key in observed if key not in self._kept and key not in self._absent}
        if len(unknown) > 1:
            self._absent |= unknown - self.log.versions(unknown).keys()

    def _keep(self, case: Case) -> None:
        """Keep a fold for the next command; only ever what is durable."""
        self._kept[case.key] = case
        self._kept.move_to_end(case.key)
        self._absent.discard(case.key)
        if len(self._kept) > self._cases_kept:
            self._kept.popitem(last=False)
        if len(self._absent) > self._cases_kept:
            self._absent.clear()

    def _outdated(self, command: Command) -> bool:
        """Whether another process has published a newer definition than the one that was asked."""
        name = command.workflow if isinstance(command, (StartCase, Observe)) else None
        return name is not None and self._stale(self.catalog.seen(name))

    def _stale(self, expected: Mapping[str, int]) -> bool:
        outrun = [
            stream for stream, version in expected.items() if self.log.version(stream) != version
        ]
        self._forget(outrun)
        return bool(outrun)

    def _forget(self, streams: Iterable[str] | None = None) -> None:
        """Drop what is kept of these streams (of all, if none are named): the log knows better."""
        if streams is None:
            self._kept.clear()
            self._absent.clear()
            self._keys.forget()
            return
        for stream in streams:
            self._kept.pop(stream, None)
            self._absent.discard(stream)
            self.catalog.forget(stream)
        self._keys.forget()

    def _answered_before(self, ticket: _Ticket) -> Receipt | PmoError | None:
        marked = self.log.marked([ticket.marker]).get(ticket.marker)
        return self._answer_again(ticket, marked) if marked else None

    def _answer_again(self, ticket: _Ticket, marked: Marked) -> Receipt | PmoError:
        """The answer that the command with this id got the first time."""
        if marked.fingerprint != ticket.fingerprint:
            return CommandIdReused.one(
                "/command_id",
                f"{ticket.command.command_id!r} was used for another command",
                "give every command an id of its own",
            )
        events = self.log.read(marked.first_position - 1, marked.count)
        last = events[-1].event
        if isinstance(last, CommandRefused):
            return Refused(f"{last.stream}: {last.trigger} is refused", last.verdicts)
        return _receipt(events)


def _ticket(command: Command) -> _Ticket:
    marker = ids.marker(command.command_id)
    try:
        content = canonical.encode_simple([type(command).__name__, command], _said)
    except TypeError as error:
        what = f"holds what JSON cannot say: {error}"
        return _Ticket(command, marker, b"", BadInput.one("/data", what, "send plain JSON"))
    return _Ticket(command, marker, hashlib.sha256(content).digest())


def _said(part: BaseModel) -> dict[str, object]:
    """What a command says; what it leaves out stays out, so new optional fields change nothing."""
    return {n: value for n, value in part.__dict__.items() if value or value == 0}


def _faulty(command: Command, error: Exception) -> Faulty:
    what = f"a fault of ours kept {command.command_id!r} from being decided: {error!r}"
    answer = Faulty(what)
    answer.__cause__ = error
    return answer


def _receipt(events: Sequence[Recorded]) -> Receipt:
    position, last = events[-1]
    names = [each.name for _, each in events if each.stream == last.stream]
    return Receipt(
        stream=last.stream,
        version=last.version,
        position=position,
        state=getattr(last, "state", None),
        names=tuple(names),
        recorded_at=last.recorded_at,
        warnings=tuple(_warnings(getattr(last, "verdicts", ()))),
    )


def _warnings(verdicts: Iterable[Verdict]) -> Iterator[str]:
    for verdict in verdicts:
        if verdict.weight != "shall" and not verdict.held:
            yield f"{verdict.weight}: {verdict.reason or verdict.rule}"


def _no_case(key: str) -> NotFound:
    return NotFound.one("/case", f"there is no case {key!r}", "pmo list shows what there is")
