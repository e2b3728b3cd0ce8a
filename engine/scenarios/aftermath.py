"""What reactions make of a step, in a scenario: they run until nothing is left to react to."""

from __future__ import annotations

from collections.abc import Callable

from engine.case import Case, fold
from engine.commands import Command
from engine.errors import PmoError, Refused
from engine.reactions import Ask, Rules, is_reacted_to
from engine.service import Receipt, Service
from engine.store.log import Recorded
from engine.whom import Known


class Aftermath:
    """Follows the log of a scenario, as ``consumers.reactions`` follows that of a home.

    ``ask`` has the service handle what a reaction asks for.
    """

    def __init__(self, service: Service, ask: Callable[[Command], Receipt]) -> None:
        self._service = service
        self._ask = ask
        self._reached = service.log.head()

    def settle(self) -> list[str]:
        """React to everything recorded since the last time, and to what comes of that; what came
        to nothing, in words."""
        incidents: list[str] = []
        log = self._service.log
        while self._reached < log.head():
            for recorded in log.read(self._reached, 100):
                self._reached = recorded.position
                for ask in self._asks(recorded):
                    incidents += self._send(ask)
        return incidents

    def _asks(self, recorded: Recorded) -> list[Ask]:
        event = recorded.event
        if "/" in event.stream or not is_reacted_to({"actor": {"kind": event.actor.kind}}):
            return []
        definition = self._service.catalog.pinned(event.definition).definition
        if not any(reaction.on == event.name for reaction in definition.reactions):
            return []
        case = self._then(event.stream, recorded.position)
        assert case is not None
        at = recorded.position
        log, catalog = self._service.log, self._service.catalog
        known = Known(lambda key: self._then(key, at), log.streams, catalog.definition)
        return [*Rules(definition).asks(event, at, case, known)]

    def _then(self, key: str, position: int) -> Case | None:
        stream = self._service.log.stream(key)
        return fold(recorded.event for recorded in stream if recorded.position <= position)

    def _send(self, ask: Ask) -> list[str]:
        if ask.problem:
            return [f"{ask.what}: {ask.problem}"]
        try:
            self._ask(ask.command)
        except PmoError as error:
            if isinstance(error, Refused) and ask.every and self._has_ended(ask):
                return []
            return [f"{ask.what}: {error}"]
        return []

    def _has_ended(self, ask: Ask) -> bool:
        case = self._service.case(getattr(ask.command, "case", ""))
        return self._service.catalog.pinned(case.definition).definition.states[case.state].final
