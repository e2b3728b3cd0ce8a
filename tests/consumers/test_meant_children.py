"""Of the children of a case, those are asked whose fields have the values that a reaction names;
and what it brings along may be of before the event, or of a case that this one names."""

from __future__ import annotations

import pytest

from engine.errors import BadInput
from engine.loading import load_definitions

SHELF = """
workflow: shelf
version: 1
title: Shelf
key: SHELF
data:
  colour: {type: text}
  room: {type: ref, to: room}
states: {open: {initial: true}}
transitions:
  - {trigger: paint, from: open, accepts: colour, emits: ShelfPainted, tells: colour}
  - {trigger: dust, from: open, emits: ShelfDusted}
reactions:
  - on: ShelfPainted
    do:
      trigger: mark
      each: book
      where: {colour: before.colour}
      with: {was: before.colour, becomes: data.colour, light: room.data.light}
  - {on: ShelfDusted, do: {trigger: mark, each: book, where: {volume: "2"}, with: {was: dusty}}}
"""
BOOK = """
workflow: book
version: 1
title: Book
key: BOOK
data:
  shelf: {type: ref, to: shelf, parent: true}
  colour: {type: text}
  volume: {type: number}
  kind: {type: choice, of: [novel, atlas]}
  was: {type: text}
  becomes: {type: text}
  light: {type: text}
states: {open: {initial: true}, lost: {final: true}}
transitions:
  - {trigger: mark, from: open, accepts: [was, becomes, light], emits: BookMarked}
  - {trigger: lose, from: open, to: lost}
"""
ROOM = """
workflow: room
version: 1
title: Room
key: ROOM
data: {light: {type: text}}
states: {open: {initial: true, final: true}}
"""


@pytest.fixture
def library(bare):
    bare.publish(SHELF, BOOK, ROOM)
    bare.runner.switch_on()
    return bare


def test_only_children_of_that_value_are_asked(library):
    room = library.start("room", light="dim").stream
    shelf = library.start("shelf", colour="red", room=room).stream
    red, blue, bare = (
        library.start("book", shelf=shelf, **said).stream
        for said in ({"colour": "red"}, {"colour": "blue"}, {})
    )
    library.do(shelf, "paint", colour="green")
    library.runner.catch_up()
    assert library.store.incidents() == []
    (marked,) = [r.event for r in library.log.stream(red) if r.event.name == "BookMarked"]
    assert marked.data == {"was": "red", "becomes": "green", "light": "dim"}
    assert "BookMarked" not in library.names(blue) + library.names(bare)


def test_what_was_missing_before_means_nobody(library):
    shelf = library.start("shelf").stream
    book = library.start("book", shelf=shelf).stream
    library.do(shelf, "paint", colour="green")
    library.runner.catch_up()
    assert library.store.incidents() == []
    assert "BookMarked" not in library.names(book)


def test_what_is_withheld_is_like_nothing_else_that_is(library):
    kept = {"withheld": "section 40"}
    shelf = library.start("shelf", colour=kept).stream
    book = library.start("book", shelf=shelf, colour=kept).stream
    library.do(shelf, "paint", colour="green")
    library.runner.catch_up()
    assert library.store.incidents() == []
    assert "BookMarked" not in library.names(book)


def test_a_number_in_a_definition_means_the_number(library):
    shelf = library.start("shelf").stream
    first, second = (library.start("book", shelf=shelf, volume=n).stream for n in (1, 2))
    library.do(shelf, "dust")
    library.runner.catch_up()
    assert "BookMarked" in library.names(second)
    assert "BookMarked" not in library.names(first)


@pytest.mark.parametrize(
    ("where", "told"),
    [("kind: nowel", "'nowel' is not a choice"), ("volume: two", "'two' is not a number")],
)
def test_children_of_a_value_that_none_can_have_are_not_asked_for(where, told):
    wrong = SHELF.replace('volume: "2"', where)
    with pytest.raises(BadInput) as refused:
        load_definitions({"shelf.yaml": wrong, "book.yaml": BOOK, "room.yaml": ROOM})
    assert told in str(refused.value)
