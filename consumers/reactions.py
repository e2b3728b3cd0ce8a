"""Reactions: events become commands, as the definitions say to which the events are pinned.

What is asked for is pure (``engine.reactions``); here cases are read as the event left them, what
is asked is sent, and what comes to nothing is told. The order of a stream is not kept behind
parked work: every ask is judged by the rules on what its target is then, so one that is late or
refused makes none after it wrong, and one refusal must not bring a case to a standstill.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from consumers.cases import Cases
from consumers.runner import BATCH
from consumers.store import Trouble
from consumers.work import Work
from engine.case import Case, fold
from engine.errors import BadInput, Contended, Faulty, PmoError, Refused, StoreFailed
from engine.events import CommandRefused, DefinitionRef, from_body
from engine.reactions import Ask, Rules, depth_of, is_reacted_to
from engine.service import Service
from engine.store.log import Log
from engine.whom import Known

MOST_OF_ONE = 10_000
"""Reactions to reactions that one request may bring about (by correlation, since this started).

A loop that asks many children each time would reach ``engine.reactions.DEEPEST`` only after more
commands than a disk can hold."""

_AT_ONCE = 1_000
_REQUESTS_KEPT = 100_000
_LOOK_BACK = 100_000
"""Events that are searched for the chain that led to one."""


class Reactions:
    """A ``consumers.runner.Consumer``, for one thread at a time."""

    name = "reactions"
    ordered = False
    from_head = True
    batch = BATCH

    def __init__(self, log: Log, service: Service, most_of_one: int = MOST_OF_ONE) -> None:
        self._log = log
        self._service = service
        self._most_of_one = most_of_one
        self._rules: dict[str, Rules] = {}
        self._cases = Cases(log)
        self._spent: Counter[str] = Counter()
        self.done = 0  # what it has asked for and got, for people to see that something was done

    def consume(self, batch: Sequence[Work]) -> list[Trouble]:
        troubles: list[Trouble] = []
        asked: list[tuple[Work, Ask]] = []
        self._cases.see(batch)
        for work in batch:
            for ask in self._asks(work):
                # Who counts a case's children on its account must find all that were to begin.
                if asked and asked[-1][0] is work and asked[-1][1].turn < ask.turn:
                    troubles += self._send(asked)
                    asked = []
                asked.append((work, ask))
            if len(asked) >= _AT_ONCE:
                troubles += self._send(asked)
                asked = []
        return troubles + self._send(asked)

    def retry(self, work: Work, item: str) -> str:
        if not item:
            return "\n".join(trouble.reason for trouble in self.consume([work]))
        asked = [(work, self._anew(ask)) for ask in self._asks(work) if ask.id == item]
        if not asked:
            return "nothing asks for this any more; dismiss it"
        return "".join(trouble.reason for trouble in self._send(asked))

    def _anew(self, ask: Ask) -> Ask:
        """The ask by the first id that no recorded refusal answers for ever, as it does where a
        workflow records them. However often it is tried again, by however many, it has one effect.
        """
        command, tries = ask.command, 0
        while self._was_refused(command.command_id):
            tries += 1
            command = command.model_copy(update={"command_id": f"{ask.id}:{tries}"})
        return replace(ask, command=command)

    def _was_refused(self, command_id: str) -> bool:
        marked = self._log.marked([command_id]).get(command_id)
        if marked is None:
            return False
        events = self._log.read(marked.first_position - 1, marked.count)
        return isinstance(events[-1].event, CommandRefused)

    def _asks(self, work: Work) -> Iterator[Ask]:
        body = work.body
        if "/" in work.stream or not is_reacted_to(body):
            return
        rules = self._rules_of(body["definition"])
        if body["name"] not in rules.names:
            return
        case = self._cases.as_left_by(work)
        known = Known(
            lambda key: self._then(key, work.position),
            self._log.streams,
            self._service.catalog.definition,
        )
        yield from rules.asks(from_body(body), work.position, case, known)

    def _rules_of(self, ref: dict[str, Any]) -> Rules:
        rules = self._rules.get(ref["hash"])
        if rules is None:
            pinned = self._service.catalog.pinned(DefinitionRef(**ref))
            rules = self._rules[ref["hash"]] = Rules(pinned.definition)
        return rules

    def _then(self, key: str, position: int) -> Case | None:
        """Another case, as it was at a position."""
        stream = self._log.stream(key)
        return fold(recorded.event for recorded in stream if recorded.position <= position)

    def _send(self, asked: Sequence[tuple[Work, Ask]]) -> list[Trouble]:
        """Raises what may pass; the same commands are then sent again."""
        troubles = []
        ready = []
        for work, ask in asked:
            if problem := ask.problem or self._too_many(work, ask):
                troubles.append(_trouble(work, ask, self._with_chain(problem, work)))
            else:
                ready.append((work, ask))
        answers = self._service.handle_many([ask.command for _, ask in ready])
        for (work, ask), answer in zip(ready, answers, strict=True):
            match answer:
                case StoreFailed() | Contended():
                    raise answer
                case Refused() if ask.every and self._has_ended(ask):
                    pass
                case Refused() | BadInput() | Faulty():
                    troubles.append(_trouble(work, ask, str(answer)))
                case PmoError():
                    raise answer
                case _:
                    self.done += 1
        self._spent.update(work.body["correlation_id"] for work, ask in ready if ask.depth > 1)
        if len(self._spent) > _REQUESTS_KEPT:
            self._spent = Counter(dict(self._spent.most_common(_REQUESTS_KEPT // 10)))
        return troubles

    def _too_many(self, work: Work, ask: Ask) -> str:
        spent = self._spent[work.body["correlation_id"]] if ask.depth > 1 else 0
        if spent < self._most_of_one:
            return ""
        return f"{spent:,} reactions to reactions have come of one request"

    def _has_ended(self, ask: Ask) -> bool:
        """Whether the child is in a final state: of those, nobody can ask anything any more."""
        case = self._service.case(getattr(ask.command, "case", ""))
        return self._service.catalog.pinned(case.definition).definition.states[case.state].final

    def _with_chain(self, problem: str, work: Work) -> str:
        if not depth_of(work.body["command_id"]):
            return problem
        what = (
            f"{problem}, and here it was stopped: it looks like a loop. Let a `where` end it in a"
            " new version of one of these workflows, and dismiss this"
        )
        return "\n".join([what, *map(_tell, self._chain(work))])

    def _chain(self, work: Work) -> list[Work]:
        """What led to an event, the first cause first, as far back as it is looked for."""
        chain = [work]
        page: list[Work] = []
        start, lowest = work.position, max(1, work.position - _LOOK_BACK)
        while depth_of(chain[0].body["command_id"]):
            wanted = chain[0].body.get("causation_id")
            found = next((one for one in page if one.body["event_id"] == wanted), None)
            if found is None:
                if start <= lowest:
                    break
                start, end = max(lowest, start - 500), start
                page = [Work(*row) for row in self._log.bodies(start - 1, end - start)]
                continue
            chain.insert(0, found)
        return chain


def _trouble(work: Work, ask: Ask, reason: str) -> Trouble:
    return Trouble(work.position, work.stream, reason, ask.id, ask.what)


def _tell(link: Work) -> str:
    body = link.body
    workflow = f"{body['definition']['name']} {body['definition']['version']}"
    return (
        f"  position {link.position}: {body['name']} of {link.stream} ({workflow}),"
        f" by {body['actor']['id']}"
    )
