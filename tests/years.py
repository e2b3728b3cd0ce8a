"""Homes for a year to be played in."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from app.definitions import load_definitions, publish
from app.home import Home
from engine.clock import HandClock
from engine.commands import Requester
from engine.store.log import Log
from engine.store.memory import MemoryLog
from projections.opening import open_for_reading
from projections.store import Tables
from workflows import shipped

OPERATOR = Requester(id="operator", kind="service")


class InMemory(Home):
    """A home whose log is in memory; its views are where those of others are."""

    @cached_property
    def log(self) -> Log:
        return MemoryLog()

    @cached_property
    def views(self) -> Tables:
        self.catch_up()
        return open_for_reading(self.views_place)

    def catch_up(self, progress: object = None) -> int:
        return self.runner.catch_up()


def make_home(kind: str, folder: Path, clock: HandClock) -> Home:
    if kind == "sqlite":
        return Home.create(folder / "home", clock)
    folder.joinpath("home").mkdir()
    return InMemory(folder / "home", clock)


def prepare(home: Home) -> None:
    for loaded in load_definitions(shipped()):
        publish(home.service, loaded, OPERATOR, None)
