"""The linter's rules about data fields, the key, what steps take, evidence and conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from engine.cel.conditions import compile_condition, contradiction_in
from engine.definition import Definition, Field
from engine.errors import BadInput, Problem
from engine.guards import accepted
from engine.step import REASON, Guards, Step
from engine.validation import suggest

ITEM_TYPES = ("text", "number", "date", "ref", "person")
"""What a list may hold."""

# `data.in` and the like cannot be written in a condition.
_NO_FIELD = frozenset({"in", "true", "false", "null"})
# What the product says of every case, beside its data.
_SPOKEN_FOR = frozenset({"actor", "data", "evidence", "key", "now", "state", "version", "withheld"})
# In a condition, a ref field is a variable, and these are words of CEL.
_NO_VARIABLE = frozenset(
    {"as", "bool", "break", "bytes", "const", "continue", "double", "duration", "dyn", "else"}
    | {"for", "function", "if", "import", "int", "let", "list", "loop", "map", "namespace"}
    | {"package", "return", "string", "timestamp", "today", "type", "uint", "var", "void", "while"}
)

_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "of": ("choice", "list"),
    "to": ("ref", "list"),
    "currency": ("money",),
    "unit": ("number",),
    "least": ("number", "money"),
    "most": ("number", "money"),
    "longest": ("text",),
    "parent": ("ref",),
    "unique": ("list",),
}
"""The keys of a field that only some types have."""


def steps(definition: Definition) -> Iterator[tuple[str, Step]]:
    yield "/start", definition.start
    for i, rule in enumerate(definition.transitions):
        yield f"/transitions/{i}", rule


def asked(definition: Definition) -> Iterator[tuple[str, Guards]]:
    """Everything that is asked of steps: what must be so, and what only should be."""
    for at, step in steps(definition):
        yield at, step
        if step.should:
            yield f"{at}/should", step.should


def has_fields_that_can_be_named(definition: Definition) -> Iterator[Problem]:
    for name, field in definition.data.items():
        what = ""
        if name in _SPOKEN_FOR:
            what = f"{name!r} is what every case has, beside its data"
        elif name in _NO_FIELD:
            what = f"{name!r} cannot be written in a condition"
        elif field.type == "ref" and name in _NO_VARIABLE:
            what = f"{name!r} is a word of CEL, where a ref field is a variable"
        if what:
            yield Problem(f"/data/{name}", what, "choose another name")


def has_fields_that_make_sense(definition: Definition) -> Iterator[Problem]:
    for name, field in definition.data.items():
        at = f"/data/{name}"
        for attribute, types in _ATTRIBUTES.items():
            if attribute in field.model_fields_set and field.type not in types:
                what = f"a field of type {field.type} has no {attribute!r}"
                yield Problem(f"{at}/{attribute}", what, f"it belongs to {' and '.join(types)}")
        if field.type in _CHECKS:
            yield from _CHECKS[field.type](field, at)


def _choice(field: Field, at: str) -> Iterator[Problem]:
    if not field.of:
        yield Problem(at, "a choice needs something to choose from", "add `of: [one, another]`")
    for i, choice in enumerate(field.of):
        if not choice.strip() or choice != choice.strip():
            yield Problem(f"{at}/of/{i}", f"the choice {choice!r} is hard to see", "trim it")
        elif choice in field.of[:i]:
            yield Problem(f"{at}/of/{i}", f"{choice!r} is there twice", "keep one of the two")


def _list(field: Field, at: str) -> Iterator[Problem]:
    if len(field.of) != 1:
        yield Problem(at, "a list needs one type of what it holds", "add `of: text`")
    elif field.item_type not in ITEM_TYPES:
        what = f"a list cannot hold {field.item_type!r}"
        yield Problem(f"{at}/of/0", what, suggest(field.item_type, ITEM_TYPES))
    elif field.item_type == "ref":
        yield from _ref(field, at)
    elif field.to:
        yield Problem(f"{at}/to", f"a list of {field.item_type} has no 'to'", "leave it out")


def _ref(field: Field, at: str) -> Iterator[Problem]:
    if not field.to:
        yield Problem(at, "a ref needs the workflow it refers to", "add `to: objective`")


def _money(field: Field, at: str) -> Iterator[Problem]:
    if not field.currency:
        yield Problem(at, "money needs a currency", "add `currency: GBP`")
    yield from _bounds(field, at)


def _bounds(field: Field, at: str) -> Iterator[Problem]:
    if field.least is not None and field.most is not None and field.least > field.most:
        what = f"no {field.type} is at least {field.least:g} and at most {field.most:g}"
        yield Problem(f"{at}/least", what, "swap them")


_CHECKS: dict[str, Callable[[Field, str], Iterator[Problem]]] = {
    "choice": _choice,
    "list": _list,
    "money": _money,
    "number": _bounds,
    "ref": _ref,
}


_IN_KEYS = ("text", "choice", "person", "number")


def has_a_key_that_can_be_made(definition: Definition) -> Iterator[Problem]:
    for name in definition.key_parts:
        field = definition.data.get(name)
        if field is None:
            mend = suggest(name, [*definition.data, "number"])
            yield Problem("/key", f"there is no field {name!r}", mend)
        elif not field.required or field.type not in _IN_KEYS:
            yield Problem(
                "/key",
                f"the key is made of {name}: it must be a required text, choice, person or number",
                f"write `required: true` in {name}, or number the cases: {{number}}",
            )
    if "{number}" in definition.key and "number" in definition.data:
        yield Problem(
            "/data/number",
            "in the key, {number} counts the cases and is not this field",
            "give the field another name",
        )


def takes_fields_that_exist(definition: Definition) -> Iterator[Problem]:
    for at, said in asked(definition):
        accepts = (said.accepts if isinstance(said, Step) else None) or []
        for key, names in (("needs", said.needs), ("anew", said.anew), ("accepts", accepts)):
            known = [*definition.data, *([REASON] if key == "anew" else [])]
            for i, name in enumerate(names):
                pointer = f"{at}/{key}/{i}"
                if name not in known:
                    what = f"there is no field {name!r}"
                    yield Problem(pointer, what, suggest(name, known))
                elif key != "needs" and at != "/start" and name in definition.key_parts:
                    what = f"{name} is part of the key, which is set once, at the start"
                    yield Problem(pointer, what, "leave it out")


def tells_fields_that_exist(definition: Definition) -> Iterator[Problem]:
    for number, step in enumerate(definition.transitions):
        for i, name in enumerate(step.tells):
            pointer = f"/transitions/{number}/tells/{i}"
            if name not in definition.data:
                what = f"there is no field {name!r}"
                yield Problem(pointer, what, suggest(name, definition.data))
            elif name in step.tells[:i]:
                yield Problem(pointer, f"{name} is told twice", "leave one of the two out")


def takes_what_should_come_anew(definition: Definition) -> Iterator[Problem]:
    for at, step in steps(definition):
        if step.should is None:
            continue
        takes = accepted(step, definition)
        for i, name in enumerate(step.should.anew):
            if name in definition.data and name not in takes:
                what = f"the step does not take {name}, so it never comes with it"
                yield Problem(f"{at}/should/anew/{i}", what, "add it to what the step `accepts`")


def can_start(definition: Definition) -> Iterator[Problem]:
    taken = accepted(definition.start, definition)
    for name, field in definition.data.items():
        if field.required and name not in taken:
            yield Problem(
                "/start/accepts",
                f"{name} is required, but the start does not accept it",
                f"add {name} to it",
            )


def asks_for_evidence_that_can_come(definition: Definition) -> Iterator[Problem]:
    for at, said in asked(definition):
        for i, need in enumerate(said.evidence):
            if need.anew and need.unchanged:
                what = f"a {need.kind} must come with the step, and none may have come"
                yield Problem(f"{at}/evidence/{i}/anew", what, "leave out `anew` or `unchanged`")


def asks_for_evidence_it_can_date(definition: Definition) -> Iterator[Problem]:
    for at, said in asked(definition):
        for i, need in enumerate(said.evidence):
            if need.newer_than and "working" in need.newer_than:
                yield Problem(
                    f"{at}/evidence/{i}/newer_than",
                    "the age of evidence is not counted in working days",
                    "write days, weeks, months or years",
                )


def has_conditions_that_can_hold(definition: Definition) -> Iterator[Problem]:
    for at, said in asked(definition):
        for i, check in enumerate(said.when):
            yield from can_go_either_way(
                check.check,
                definition,
                f"{at}/when/{i}/check",
                never="leave out what nobody may ever do",
                always="refuses nobody",
            )


def no_such_workflow(
    pointer: str, name: str, definition: Definition, known: Iterable[str]
) -> Problem:
    """Who refers to a workflow means another one, which may be a file that is published with it."""
    mend = suggest(name, [other for other in known if other != definition.workflow])
    if "did you mean" not in mend:
        files = f"{definition.workflow}.yaml {name}.yaml"
        mend += f"; if it is new, too, publish both at once: pmo publish {files}"
    return Problem(pointer, f"there is no workflow {name!r}", mend)


def can_go_either_way(
    check: str, definition: Definition, pointer: str, *, never: str, always: str
) -> Iterator[Problem]:
    """What keeps a condition from holding at times and at times not: it cannot be read, or always
    says the same. ``never``: how to mend what never holds; ``always``: what is useless about one
    that always does."""
    try:
        condition = compile_condition(check, definition, pointer)
    except BadInput as error:
        yield from (Problem(pointer, p.what, p.mend) for p in error.problems)
        return
    if condition.settled is False:
        yield Problem(pointer, "this never holds", never)
    elif condition.settled:
        yield Problem(pointer, f"this always holds, so it {always}", "leave it out")
    elif told := contradiction_in(check, definition):
        yield Problem(pointer, f"this never holds: {told}", "mend one of the two")


RULES = (
    has_fields_that_can_be_named,
    has_fields_that_make_sense,
    has_a_key_that_can_be_made,
    takes_fields_that_exist,
    tells_fields_that_exist,
    takes_what_should_come_anew,
    can_start,
    asks_for_evidence_that_can_come,
    asks_for_evidence_it_can_date,
    has_conditions_that_can_hold,
)
