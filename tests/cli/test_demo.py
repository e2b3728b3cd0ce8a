"""The newcomer's first screen."""

from __future__ import annotations

import shlex

import pytest

from tests.cli.conftest import Pmo


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    pmo = Pmo(tmp_path_factory.mktemp("demo") / "home")
    return pmo, pmo.done("demo", "--home", str(pmo.home))


def test_it_shows_the_portfolio_now_and_three_years_before(demo):
    _, answer = demo
    assert "The portfolio now: 184 projects" in answer.out
    assert "as it was known on 2018-07-31, three years before: 133 projects" in answer.out


def test_it_shows_the_trail_of_one_project_and_what_was_believed_of_it(demo):
    _, answer = demo
    assert "end: 2020-04-30 → 2022-06-30" in answer.out
    assert "recorded 2017-07-31" in answer.out


def test_it_verifies_what_it_shows_and_says_what_to_try(demo):
    _, answer = demo
    assert "the chain of their hashes is whole" in answer.out
    assert "say what the log says" in answer.out


def test_what_it_says_to_try_works(demo):
    pmo, answer = demo
    lines = answer.out.split("Try next\n")[1].splitlines()
    commands = [shlex.split(line) for line in lines if line.startswith("  pmo ")]
    assert len(commands) == 6
    for _, *words in commands:
        if "-o" in words:
            words[words.index("-o") + 1] = str(pmo.home / "picture.svg")
        pmo.done(*words)


def test_again_it_records_nothing_and_shows_the_same(demo):
    pmo, first = demo
    second = pmo.done("demo", "--home", str(pmo.home))
    assert "nothing new, it was all there" in second.out
    assert second.out.split("The portfolio now")[1] != ""
    assert (
        second.out.split("Most re-baselined")[1].split("Verified")[0]
        == (first.out.split("Most re-baselined")[1].split("Verified")[0])
    )


def test_it_leaves_a_home_alone_that_was_not_made_for_it(pmo):
    answer = pmo("demo", "--home", str(pmo.home))
    assert answer.code == 2
    assert "is a home of yours, not of a demo" in answer.err
    assert pmo.done("status", "--json").json()["head"] == 3
