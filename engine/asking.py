"""The service for callers on an event loop: they await, and are served in groups."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue

from engine.commands import Command
from engine.service import Receipt, Service

Answer = asyncio.Future[Receipt]
Answers = Sequence[Receipt | BaseException]
Asked = tuple[list[Command], Callable[[Answers], None]]
"""A group, and who wants to hear of it."""


class AsyncService:
    """Hands all that is asked while one group is under way to the service as the next group.

    The service works in a thread of its own, so the loop stays free while a group is written. For
    one loop at a time; ``close`` it when nobody asks any more.
    """

    def __init__(self, service: Service) -> None:
        groups: SimpleQueue[Asked | None] = SimpleQueue()
        # The thread holds the queue and not the door: where nobody has closed it, the door goes
        # when nobody holds it, and the thread with it.
        self._thread = threading.Thread(
            target=_work, args=(service, groups), name="service", daemon=True
        )
        self._hand_over = groups.put
        self._end = weakref.finalize(self, groups.put, None)
        self._asked: list[tuple[Command, Answer]] = []
        self._busy = False
        self._closed = False
        self._thread.start()

    def handle(self, command: Command) -> Answer:
        """As ``Service.handle``, to be awaited. Must be called on the loop."""
        if self._closed:
            raise RuntimeError("nobody serves here any more: this door was closed")
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        self._asked.append((command, answer))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._serve, loop)
        return answer

    def close(self) -> None:
        """Wait for the group under way; who has asked since is told that nobody serves any more."""
        self._closed = True
        self._end()
        self._thread.join()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asked, self._asked = self._asked, []
        waiting = [answer for _, answer in asked]
        if self._closed:
            for answer in waiting:
                answer.cancel("the door was closed before this was served")
            return

        def tell(answers: Answers) -> None:
            """In one call for all, which the loop refuses once it has closed."""
            loop.call_soon_threadsafe(self._answer, waiting, answers, loop)

        self._hand_over(([command for command, _ in asked], tell))

    def _answer(
        self, waiting: list[Answer], answers: Answers, loop: asyncio.AbstractEventLoop
    ) -> None:
        for future, answer in zip(waiting, answers, strict=True):
            if future.cancelled():
                continue  # nobody waits any more; what was written stays written
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        # Those just answered run first, and what they ask next belongs to the next group.
        loop.call_soon(self._go_on, loop)

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        self._busy = bool(self._asked)
        if self._busy:
            self._serve(loop)


def _work(service: Service, groups: SimpleQueue[Asked | None]) -> None:
    """Runs in the thread, until it is given ``None``."""
    while asked := groups.get():
        commands, tell = asked
        answers: Answers
        try:
            answers = service.handle_many(commands)
        except BaseException as failure:  # noqa: BLE001  it is raised where somebody waits
            answers = [failure] * len(commands)
        with suppress(RuntimeError):  # the loop has closed, so nobody waits any more
            tell(answers)
        # Held until the next group comes, they would keep the door, too.
        del asked, commands, tell, answers
