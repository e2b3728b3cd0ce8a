"""Views that follow in a process of their own while much is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.alongside import Alongside
from app.home import Home
from engine.commands import Fact, Observe, PublishDefinition, Requester
from engine.events import Source
from projections.verify import verify
from tests.importing.small import WORKFLOW, load_initiative

TELLER = Requester(id="teller", kind="import")
MANY = 5_000


@pytest.fixture
def home(tmp_path: Path):
    with Home.create(tmp_path / "home") as home:
        body = load_initiative().body
        home.service.handle(
            PublishDefinition(command_id="p", actor=TELLER, body=body, text=WORKFLOW)
        )
        yield home


def tell(home: Home, cases: int) -> None:
    home.service.handle_many(
        Observe(
            command_id=f"{number}",
            actor=TELLER,
            workflow="initiative",
            case=f"INI-{number:04}",
            facts=(Fact(name="InitiativeJoined", data={"name": f"Number {number}"}),),
            origin=Source(name="report"),
        )
        for number in range(cases)
    )


def test_they_are_level_with_the_log_when_all_is_recorded(home: Home) -> None:
    with Alongside(home) as views:
        views.expect(MANY)
        tell(home, 700)
    assert home.checkpoint() == home.head() == 701
    assert verify(home.log, home.views_place).sound


def test_for_a_few_commands_no_process_is_started(home: Home) -> None:
    with Alongside(home) as views:
        views.expect(MANY - 1)
        tell(home, 1)
        assert views.process is None
    assert home.checkpoint() is None


def test_what_it_leaves_undone_is_done_by_whoever_started_it(home: Home) -> None:
    with Alongside(home) as views:
        views.expect(MANY)
        assert views.process is not None
        views.process.kill()
        tell(home, 10)
    assert home.catch_up() == home.head() == 11


def test_it_ends_when_recording_fails(home: Home) -> None:
    views = Alongside(home)

    def fail() -> None:
        with views:
            views.expect(MANY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert views.process is not None
    assert views.process.poll() is not None
    assert home.catch_up() == 1


def test_views_that_may_not_be_written_are_left_alone(home: Home, monkeypatch) -> None:
    monkeypatch.setattr(type(home.place), "may_write_views", lambda _: False)
    with Alongside(home) as views:
        views.expect(MANY)
        assert views.process is None
