"""Callers on an event loop: grouped, each answered, none held up by another's failure."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engine.asking import AsyncService
from engine.commands import Command, StartCase
from engine.errors import NotFound, PmoError, StoreFailed
from engine.service import Receipt, Service
from engine.store.log import Append, Appended, Conflict, Marked
from tests.deciding.conftest import PAT
from tests.patience import PATIENCE


def start(number: int, workflow: str = "decision") -> StartCase:
    return StartCase(
        command_id=f"ask-{number}", actor=PAT, workflow=workflow, data={"title": "Asked"}
    )


def test_many_tasks_are_served_in_few_groups_and_each_gets_its_own_answer(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    append = service.log.append

    def counted(appends: list[Append]) -> list[Appended | Conflict | Marked]:
        sizes.append(len(appends))
        return append(appends)

    monkeypatch.setattr(service.log, "append", counted)

    async def ask() -> list[Receipt]:
        door = AsyncService(service)
        answers = await asyncio.gather(*[door.handle(start(number)) for number in range(40)])
        again = await door.handle(start(7))
        door.close()
        return [*answers, again]

    *answers, again = asyncio.run(ask())
    assert len({answer.stream for answer in answers}) == 40
    assert again == answers[7]
    assert sizes[0] == 40


def test_a_refused_or_impossible_command_fails_alone(service: Service) -> None:
    async def ask() -> tuple[Receipt, Receipt]:
        door = AsyncService(service)
        first, wrong, second = (
            door.handle(start(1)),
            door.handle(start(2, "nothing")),
            door.handle(start(3)),
        )
        with pytest.raises(NotFound):
            await wrong
        given = await first, await second
        door.close()
        return given

    first, second = asyncio.run(ask())
    assert (first.stream, second.stream) == ("DEC-0001", "DEC-0002")


def test_who_stops_waiting_holds_up_nobody_and_what_was_asked_is_done(service: Service) -> None:
    async def ask() -> Receipt:
        door = AsyncService(service)
        gone = door.handle(start(1))
        gone.cancel()
        stays = await door.handle(start(2))
        door.close()
        return stays

    assert asyncio.run(ask()).stream == "DEC-0002"
    assert service.case("DEC-0001").state == "draft"


def test_a_store_that_fails_fails_everybody_in_the_group_and_nobody_after(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = service.log.append

    def full(appends: list[Append]) -> list[Appended | Conflict | Marked]:
        monkeypatch.setattr(service.log, "append", append)
        raise StoreFailed("the disk is full")

    monkeypatch.setattr(service.log, "append", full)

    async def ask() -> tuple[list[BaseException | Receipt], Receipt]:
        door = AsyncService(service)
        failed = await asyncio.gather(
            *[door.handle(start(number)) for number in range(5)], return_exceptions=True
        )
        after = await door.handle(start(0))
        door.close()
        return failed, after

    failed, after = asyncio.run(ask())
    assert all(isinstance(answer, StoreFailed) for answer in failed)
    assert (after.stream, after.version) == ("DEC-0001", 1)


def test_a_fault_of_the_service_reaches_everybody_in_the_group_and_nobody_after(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle_many = service.handle_many

    def broken(_: list[Command]) -> list[Receipt | PmoError]:
        monkeypatch.setattr(service, "handle_many", handle_many)
        raise ZeroDivisionError

    monkeypatch.setattr(service, "handle_many", broken)

    async def ask() -> tuple[list[BaseException | Receipt], Receipt]:
        door = AsyncService(service)
        failed = await asyncio.gather(
            *[door.handle(start(number)) for number in range(5)], return_exceptions=True
        )
        after = await door.handle(start(0))
        door.close()
        return failed, after

    failed, after = asyncio.run(ask())
    assert [type(answer) for answer in failed] == [ZeroDivisionError] * 5
    assert (after.stream, after.version) == ("DEC-0001", 1)


def test_a_closed_door_says_so_and_leaves_nobody_waiting(service: Service) -> None:
    async def ask() -> None:
        door = AsyncService(service)
        waiting = door.handle(start(1))
        door.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(RuntimeError, match="closed"):
            door.handle(start(2))

    asyncio.run(ask())
    assert service.log.version("DEC-0001") == 0


def test_what_a_loop_asked_that_has_closed_since_is_done_all_the_same(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle_many, closed = service.handle_many, threading.Event()

    def held_up(commands: list[Command]) -> list[Receipt | PmoError]:
        closed.wait()
        return handle_many(commands)

    monkeypatch.setattr(service, "handle_many", held_up)
    door = AsyncService(service)

    async def ask_and_leave() -> None:
        door.handle(start(1))
        await asyncio.sleep(0)  # it is handed over

    asyncio.run(ask_and_leave())
    closed.set()
    door.close()
    assert service.case("DEC-0001").state == "draft"


def test_a_door_that_nobody_has_closed_goes_with_its_thread(service: Service) -> None:
    async def ask() -> Receipt:
        return await AsyncService(service).handle(start(1))

    before = set(threading.enumerate())
    assert asyncio.run(ask()).stream == "DEC-0001"
    for thread in set(threading.enumerate()) - before:
        if thread.name == "service":
            thread.join(PATIENCE)
            assert not thread.is_alive()
