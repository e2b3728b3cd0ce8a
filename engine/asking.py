"""The service for callers on an event loop: they await, and are served in groups."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from engine.commands import Command
from engine.service import Receipt, Service

Answer = asyncio.Future[Receipt]


class AsyncService:
    """Hands all that is asked while one group is under way to the service as the next group.

    The service works in a thread of its own, so the loop stays free while a group is written. For
    one loop at a time; ``close`` it when nobody asks any more.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="service")
        self._asked: list[tuple[Command, Answer]] = []
        self._busy = False
        self._closed = False

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
        self._thread.shutdown()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        group, self._asked = self._asked, []
        if self._closed:
            for _, answer in group:
                answer.cancel("the door was closed before this was served")
            return
        self._thread.submit(self._work, group, loop)

    def _work(self, group: list[tuple[Command, Answer]], loop: asyncio.AbstractEventLoop) -> None:
        """Runs in the thread. The loop hears of all answers in one call, which it refuses once it
        has closed: nobody waits any more."""
        answers: Sequence[Receipt | BaseException]
        try:
            answers = self._service.handle_many([command for command, _ in group])
        except BaseException as failure:  # noqa: BLE001  it is raised where somebody waits
            answers = [failure] * len(group)
        loop.call_soon_threadsafe(self._answer, group, answers, loop)

    def _answer(
        self,
        group: list[tuple[Command, Answer]],
        answers: Sequence[Receipt | BaseException],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        for (_, future), answer in zip(group, answers, strict=True):
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
            loop.call_soon(self._serve, loop)
