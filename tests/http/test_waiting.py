"""``/v1/waiting`` says what ``pmo waiting --json`` says, to whoever may read."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.home import Home
from app.http.settings import ServeSettings
from tests.cli.conftest import Pmo
from tests.cli.matters import begin, gone_up
from tests.http.conftest import Running
from tests.postgres import server


@pytest.fixture(scope="module", params=["folder", "database"])
def waiting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Pmo, Running]]:
    """Looked at only."""
    folder = tmp_path_factory.mktemp("waiting")
    address = server().new_database() if request.param == "database" else folder / "home"
    pmo = begin(Pmo(address), folder)
    with Home.open(address) as home:
        running = Running(home, ServeSettings(port=0))
        yield pmo, running
        running.stop()
    if request.param == "database":
        server().drop_database(address)


def asked(running: Running, **given: Any) -> dict[str, Any]:
    answer = running.client.get("/v1/waiting", params=given)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    assert said.pop("views_position") == running.home.log.head()
    return said


@pytest.mark.parametrize("who", ["bea", "hal", "dee", "pat", "rex:reviewer", "nobody"])
def test_it_tells_of_somebody_what_the_command_line_tells(waiting, who):
    pmo, running = waiting
    assert asked(running, **{"as": who}) == pmo.done("waiting", "--as", who, "--json").json()


def test_nobody_named_is_anybody(waiting):
    pmo, running = waiting
    said = asked(running)
    assert said == pmo.done("waiting", "--everybody", "--json").json()
    assert said["as"] is None
    assert said["cases"]


def test_many_ask_at_once(waiting):
    _, running = waiting
    people = ["bea", "hal", "dee", "pat"]
    alone = [asked(running, **{"as": who}) for who in people]
    with ThreadPoolExecutor(8) as pool:
        together = [*pool.map(lambda who: asked(running, **{"as": who}), people * 4)]
    assert together == alone * 4


@pytest.mark.parametrize("who", [{}, {"as": "bea"}])
def test_pages_go_on_from_each_other(waiting, who):
    _, running = waiting
    whole = asked(running, **who)["cases"]
    first, second = (asked(running, limit=1, offset=at, **who) for at in (0, 1))
    assert first["cases"] + second["cases"] == whole[:2]
    assert first["more"]
    assert asked(running, offset=len(whole), **who)["cases"] == []


def test_a_name_that_is_none_is_told_with_its_place(waiting):
    _, running = waiting
    answer = running.client.get("/v1/waiting", params={"as": ""})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["where"] == "query/as"


def test_asking_over_http_records_nothing(waiting):
    _, running = waiting
    head = running.home.log.head()
    asked(running, **{"as": "bea"})
    assert running.home.log.head() == head


def test_what_has_gone_up_to_somebody_is_told_there_too(tmp_path):
    pmo = gone_up(begin(Pmo(tmp_path / "home"), tmp_path), tmp_path)
    with Home.open(tmp_path / "home") as home:
        running = Running(home, ServeSettings(port=0))
        said = asked(running, **{"as": "zoe"})
        shown = running.client.get("/v1/cases/MEMO-0001").json()
        running.stop()
    assert said == pmo.done("waiting", "--as", "zoe", "--json").json()
    assert said["cases"][0]["gone_up"]["to"] == "zoe"
    assert shown["gone_up"] == pmo.done("show", "MEMO-0001", "--json").json()["gone_up"]
