"""Where commands become events: load, decide, append, answer.

Commands that wait at the same moment are decided one after another, each on the state the ones
before it bring about, and appended in one transaction: one fsync for all of them. Callers serve
each other, so the service needs no thread of its own and a single caller pays for no hand-over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext

from engine import ids
from engine.callers import Call, Line
from engine.case import Case, fold
from engine.catalog import Catalog
from engine.clock import Clock, SystemClock
from engine.commands import Command, Observe, StartCase
from engine.cycles import uncollected
from engine.drafting import Draft, Drafter, no_case
from engine.errors import BadInput, CommandIdReused, Contended, Faulty, PmoError, Refused
from engine.events import CommandRefused
from engine.folds import Folds
from engine.machine import Workflow
from engine.receipt import Receipt, receipt_of
from engine.store.log import Append, Appended, Late, Log, Marked
from engine.ticket import Ticket, ticket_of

__all__ = ["LARGEST_GROUP", "Receipt", "Service"]

LARGEST_GROUP = 500
_MANY = 100
"""Commands of a group from which on the search for cycles waits until it is written."""
MOST_ROUNDS = 50
CASES_KEPT = 50_000


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
        self._folds = Folds(log, cases_kept)
        self._drafter = Drafter(log, self.catalog, self._folds, new_id)
        self._latest = ""
        self._line: Line[Ticket] = Line()

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
        tickets = [ticket_of(command) for command in commands]
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
            raise no_case(key)
        return case

    def _lead(self, own: Call[Ticket]) -> None:
        """Answer one group, our own call among it, and hand over."""
        calls = self._line.gather(LARGEST_GROUP)
        try:
            self._serve([ticket for call in calls for ticket in call.tickets])
        finally:
            for call in calls:
                if call is not own:
                    call.wake.release()
            self._line.hand_over()

    def _serve(self, group: Sequence[Ticket]) -> None:
        """Answer a group; if the log cannot be written, all of it with the same reason."""
        with uncollected() if len(group) >= _MANY else nullcontext():
            self._answer(group)

    def _answer(self, group: Sequence[Ticket]) -> None:
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

    def _fail(self, group: Sequence[Ticket], failure: PmoError) -> None:
        self._drafter.forget()
        for ticket in group:
            ticket.answer = ticket.answer or failure

    def _attempt(self, group: Sequence[Ticket]) -> list[Ticket]:
        """Decide and append a group; those that lost a race, to be tried again."""
        self._latest = max(self._clock.now(), self._latest)
        self._folds.look_ahead(
            [ticket.command.case for ticket in group if type(ticket.command) is Observe]
        )
        current = self._drafter.begin(self._latest)
        seen: set[str] = set()
        drafts: list[tuple[Ticket, Draft]] = []
        refused: list[tuple[Ticket, Draft]] = []
        unfit: list[tuple[Ticket, BadInput]] = []
        again: list[Ticket] = []
        for ticket in group:
            if ticket.command.command_id in seen:
                again.append(ticket)
                continue
            seen.add(ticket.command.command_id)
            try:
                draft = self._drafter.draft(ticket.command, current)
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
            elif draft.decision.events:
                current.take(draft.decision)
                drafts.append((ticket, draft))
            else:
                refused.append((ticket, draft))
        lost: set[str] = set()  # streams of drafts that were not written
        if drafts:
            again.extend(self._append(drafts, lost))
        # A command that had its effect cannot have it now because of it. And nobody is turned away
        # on the ground of what was never written, nor of what others have outrun.
        for ticket, draft in refused:
            if before := self._answered_before(ticket):
                ticket.answer = before
            elif self._stale(draft.expected) or not lost.isdisjoint(draft.expected):
                again.append(ticket)
            else:
                ticket.answer = draft.decision.refusal
        for ticket, wrong in unfit:
            if self._outdated(ticket.command) or lost:
                again.append(ticket)
            else:
                ticket.answer = self._answered_before(ticket) or wrong
        return again

    def _append(self, drafts: list[tuple[Ticket, Draft]], lost: set[str]) -> list[Ticket]:
        answers = self.log.append(
            [
                Append(
                    draft.decision.events,
                    draft.expected,
                    ticket.command.command_id,
                    ticket.fingerprint,
                )
                for ticket, draft in drafts
            ]
        )
        again: list[Ticket] = []
        written: list[Case] = []
        for (ticket, draft), answer in zip(drafts, answers, strict=True):
            decision = draft.decision
            if type(answer) is Appended:
                written += decision.changed
                ticket.answer = decision.refusal or receipt_of(answer.events)
                continue
            lost.update([event.stream for event in decision.events])
            if isinstance(answer, Marked):
                self._drafter.forget(())
                ticket.answer = self._answer_again(ticket, answer)
                continue
            if isinstance(answer, Late):
                self._latest = max(self._latest, answer.recorded_at)
            self._drafter.forget(draft.expected)
            again.append(ticket)
        self._folds.keep(written)
        return again

    def _outdated(self, command: Command) -> bool:
        """Whether another process has published a newer definition than the one that was asked."""
        name = command.workflow if isinstance(command, (StartCase, Observe)) else None
        return name is not None and self._stale(self.catalog.seen(name))

    def _stale(self, expected: Mapping[str, int]) -> bool:
        outrun = [
            stream for stream, version in expected.items() if self.log.version(stream) != version
        ]
        self._drafter.forget(outrun)
        return bool(outrun)

    def _answered_before(self, ticket: Ticket) -> Receipt | PmoError | None:
        command_id = ticket.command.command_id
        marked = self.log.marked([command_id]).get(command_id)
        return self._answer_again(ticket, marked) if marked else None

    def _answer_again(self, ticket: Ticket, marked: Marked) -> Receipt | PmoError:
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
        return receipt_of(events)


def _faulty(command: Command, error: Exception) -> Faulty:
    what = f"a fault of ours kept {command.command_id!r} from being decided: {error!r}"
    answer = Faulty(what)
    answer.__cause__ = error
    return answer
