"""What breaks a subscriber is told, with its place; what does not is told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.contracts.baseline import compare
from app.contracts.changes import changes
from app.definitions import Loaded
from engine.errors import BadInput
from engine.loading import load_definition

OLD = """\
workflow: grant
version: 1
title: Grant
key: GRANT
data:
  title: {type: text, required: true}
  amount: {type: money, currency: GBP}
  share: {type: number, unit: percent, least: 0, most: 100}
  kind: {type: choice, of: [capital, revenue]}
  owners: {type: list, of: person}
  project: {type: ref, to: grant}
states:
  asked: {initial: true, deadline: {within: 10 days, remind: [50%], then: lapse}}
  given: {}
  paid: {final: true}
  lapsed: {final: true}
start: {emits: GrantAsked}
record_refusals: true
transitions:
  - {trigger: give, from: asked, to: given, needs: amount, accepts: [share, kind], emits: Granted}
  - {trigger: pay, from: given, to: paid, tells: amount, emits: GrantPaid}
  - {trigger: lapse, from: asked, to: lapsed, emits: GrantLapsed}
"""


WHO = "{authority: {category: grant, unit: north}}"
UP = f"escalates: {{from: {WHO}, to: {WHO}}}"


def told(*edits: tuple[str, str], breaking: bool = True) -> list[str]:
    """The changes that these replacements bring about."""
    found = changes(load_definition(OLD, "old.yaml"), load_definition(edited(*edits), "new.yaml"))
    return [str(change) for change in found if change.breaking is breaking]


def edited(*edits: tuple[str, str]) -> str:
    text = OLD.replace("version: 1", "version: 2")
    for before, after in edits:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


BREAKING = {
    "an event has another name": (
        [("emits: GrantPaid", "emits: GrantSettled")],
        ["GrantPaid: is no longer recorded; pay records GrantSettled"],
    ),
    "the first event has another name": (
        [("emits: GrantAsked", "emits: GrantBegun")],
        ["GrantAsked: is no longer recorded; start records GrantBegun"],
    ),
    "a step is gone": (
        [
            ("  - {trigger: pay, from: given, to: paid, tells: amount, emits: GrantPaid}\n", ""),
            ("  given: {}\n  paid: {final: true}", "  given: {final: true}"),
        ],
        ["GrantPaid: is no longer recorded"],
    ),
    "refused attempts are not kept any more": (
        [("record_refusals: true\n", "")],
        ["CommandRefused: is no longer recorded"],
    ),
    "nobody is reminded any more": (
        [("remind: [50%], ", "")],
        ["DeadlineReminded: is no longer recorded"],
    ),
    "a field is gone": (
        [("  owners: {type: list, of: person}\n", "")],
        ["data.owners: is gone from every event"],
    ),
    "an event carries less": (
        [("accepts: [share, kind]", "accepts: [share]")],
        ["Granted: no longer carries kind"],
    ),
    "an event tells less of before": (
        [("tells: amount", "tells: []")],
        ["GrantPaid: no longer tells what amount held before"],
    ),
    "a field may be missing": (
        [("title: {type: text, required: true}", "title: {type: text}")],
        [
            "GrantAsked: can now be without title",
            "GrantAsked: can now have title cleared or withheld",
        ],
    ),
    "a field may be cleared": (
        [("needs: amount, accepts: [share, kind]", "accepts: [amount, share, kind]")],
        ["Granted: can now have amount cleared or withheld"],
    ),
    "a type changes": (
        [("kind: {type: choice, of: [capital, revenue]}", "kind: {type: text}")],
        ["data.kind: type was choice, becomes text"],
    ),
    "money is of another currency": (
        [("currency: GBP", "currency: EUR")],
        ["data.amount: currency was GBP, becomes EUR"],
    ),
    "a number is of another unit": (
        [("unit: percent", "unit: points")],
        ["data.share: unit was percent, becomes points"],
    ),
    "a list holds something else": (
        [("of: person", "of: text")],
        ["data.owners: of was person, becomes text"],
    ),
    "a reference is to something else": (
        [("to: grant}", "to: project}")],
        ["data.project: to was grant, becomes project"],
    ),
    "a choice is gone": (
        [("[capital, revenue]", "[capital]")],
        ["data.kind: can no longer be revenue"],
    ),
    "a choice is new": (
        [("[capital, revenue]", "[capital, revenue, loan]")],
        ["data.kind: can now also be loan"],
    ),
    "an event leaves the case elsewhere": (
        [
            ("  lapsed: {final: true}", "  over: {final: true}"),
            ("to: lapsed", "to: over"),
        ],
        [
            "GrantLapsed: can no longer leave the case in lapsed",
            "GrantLapsed: can now also leave the case in over",
        ],
    ),
    "a start takes the name of a step": (
        [("emits: GrantAsked", "emits: Granted")],
        [
            "GrantAsked: is no longer recorded; start records Granted",
            "Granted: can now have amount cleared or withheld",
            "Granted: can now also leave the case in asked",
            "Granted: is now also of the stored type pmo.case.started.v1",
        ],
    ),
}
HARMLESS = {
    "nothing at all but words": ([("title: Grant\n", "title: A grant\n")], []),
    "who may, and what must hold": (
        [("trigger: pay, ", "trigger: pay, when: 'data.amount > 0', ")],
        [],
    ),
    "an event is new": (
        [
            (
                "  - {trigger: pay",
                "  - {trigger: note, from: given, emits: GrantNoted}\n  - {trigger: pay",
            )
        ],
        ["GrantNoted: is a new event"],
    ),
    "an event carries more": (
        [("to: paid, tells", "to: paid, accepts: share, tells")],
        ["GrantPaid: can now carry share"],
    ),
    "an event tells from whom to whom": (
        [
            (
                "tells: amount, emits: GrantPaid",
                f"tells: amount, {UP}, emits: GrantPaid",
            )
        ],
        ["GrantPaid: now tells from whom to whom it has gone"],
    ),
    "an event tells more of before": (
        [("tells: amount", "tells: [amount, kind]")],
        ["GrantPaid: now tells what kind held before"],
    ),
    "a field is new": (
        [("  owners:", "  note: {type: text}\n  owners:")],
        ["GrantAsked: can now carry note"],
    ),
    "a field is never missing any more": (
        [
            (
                "amount: {type: money, currency: GBP}",
                "amount: {type: money, currency: GBP, required: true}",
            )
        ],
        [],
    ),
    "a number has other bounds": ([("most: 100", "most: 200")], ["data.share: has other bounds"]),
}


@pytest.mark.parametrize("case", BREAKING)
def test_it_breaks_a_subscriber_when(case: str) -> None:
    edits, wanted = BREAKING[case]
    assert sorted(told(*edits)) == sorted(wanted)


def test_what_came_with_every_step_must_not_be_left_to_what_was_there() -> None:
    anew = edited(("needs: amount", "anew: amount"))
    assert told(("needs: amount", "anew: amount")) == [], "more is told than was"
    back = anew.replace("version: 2", "version: 3").replace("anew: amount", "needs: amount")
    found = changes(load_definition(anew, "old.yaml"), load_definition(back, "new.yaml"))
    assert [str(one) for one in found] == ["Granted: can now be without amount"]
    assert found[0].breaking


@pytest.mark.parametrize("case", HARMLESS)
def test_it_breaks_nobody_when(case: str) -> None:
    edits, wanted = HARMLESS[case]
    assert told(*edits) == []
    assert told(*edits, breaking=False) == wanted


def problems(text: str) -> list[str]:
    new = Loaded(Path("grant.yaml"), text, load_definition(text, "grant.yaml"))
    return [
        str(p) for one in compare([new], [load_definition(OLD, "old.yaml")]) for p in one.problems
    ]


def test_a_break_is_told_at_its_line_and_column_with_two_ways_out() -> None:
    (problem,) = problems(edited(("emits: GrantPaid", "emits: GrantSettled")))
    assert problem == (
        "grant.yaml:21:65: GrantPaid: is no longer recorded; pay records GrantSettled (since "
        "version 1): this breaks subscribers (take it back, or say why under breaks: "
        "{GrantPaid: ...})"
    )


def test_a_break_that_the_definition_owns_up_to_is_none() -> None:
    edits = [("currency: GBP", "currency: EUR"), ("emits: GrantPaid", "emits: GrantSettled")]
    one_of_two = [
        *edits,
        ("key: GRANT", "key: GRANT\nbreaks: {GrantPaid: It is one of two kinds now.}"),
    ]
    (problem,) = problems(edited(*one_of_two))
    assert "data/amount" not in problem
    assert "cannot become money" in problem  # not even publishing takes it


def test_an_owned_break_has_its_reason_and_leaves_no_problem() -> None:
    text = edited(
        ("[capital, revenue]", "[capital]"),
        ("key: GRANT", "key: GRANT\nbreaks: {data.kind: There is no revenue any more.}"),
    )
    assert problems(text) == []
    found = changes(load_definition(OLD, "old.yaml"), load_definition(text, "new.yaml"))
    assert [one.reason for one in found] == ["There is no revenue any more."]


def test_a_break_that_is_none_is_told() -> None:
    text = edited(("key: GRANT", "key: GRANT\nbreaks: {GrantPaid: It was so in version 1.}"))
    (problem,) = problems(text)
    assert problem.startswith(
        "grant.yaml:5:21: GrantPaid is not broken by anything since version 1"
    )


def test_a_changed_definition_with_its_old_version_is_told() -> None:
    text = OLD.replace("title: Grant\n", "title: A grant\n").replace("most: 100", "most: 50")
    (problem,) = problems(text)
    assert problem.startswith("grant.yaml:2:10: grant version 1 is already published with other")


def test_what_breaks_names_must_look_like_an_event_or_a_field() -> None:
    text = edited(("key: GRANT", "key: GRANT\nbreaks: {amount: gone}"))
    with pytest.raises(BadInput, match=r"like DecisionTaken, or a field, like data.amount"):
        load_definition(text, "grant.yaml")


def test_to_tell_no_more_from_whom_to_whom_it_has_gone_breaks_a_subscriber():
    goes_up = OLD.replace(
        "tells: amount, emits: GrantPaid", f"tells: amount, {UP}, emits: GrantPaid"
    )
    old = load_definition(goes_up, "old.yaml")
    new = load_definition(OLD.replace("version: 1", "version: 2"), "new.yaml")
    (change,) = [change for change in changes(old, new) if change.breaking]
    assert str(change) == "GrantPaid: no longer tells from whom to whom it has gone"
