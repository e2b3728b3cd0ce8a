"""The JSON Schema says of a definition what the grammar says."""

import copy
import functools
import json
import operator
import re
from contextlib import nullcontext
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

import workflows
from engine.definition import Definition
from engine.loading import load_definition
from engine.schema import ABOUT, definition_schema
from engine.yaml_source import read_yaml

VALIDATOR = Draft202012Validator(definition_schema())
GRAMMAR_ERRORS = Path(__file__).parent / "definitions" / "grammar.yaml"


def test_it_is_a_json_schema():
    Draft202012Validator.check_schema(definition_schema())
    assert json.loads(json.dumps(definition_schema())) == definition_schema()


@pytest.mark.parametrize("path", workflows.shipped(), ids=lambda path: path.stem)
def test_the_shipped_definitions_are_valid_as_they_are_written(path):
    VALIDATOR.validate(read_yaml(path.read_bytes(), path.name).value)


def test_what_the_grammar_refuses_it_refuses_too():
    value = read_yaml(GRAMMAR_ERRORS.read_bytes(), GRAMMAR_ERRORS.name).value
    places = {"/".join(map(str, error.absolute_path)) for error in VALIDATOR.iter_errors(value)}
    assert places >= {"workflow", "version", "roles", "data/size/type", "data/year/of"}
    assert places >= {"data/ready/required", "transitions/0", "transitions/1/from", "transitions/3"}


@pytest.mark.parametrize("name", ["communication", "decision", "objective"])
def test_a_key_with_nothing_after_it_is_refused_by_both_wherever_it_stands(name):
    """Only a role or a state may have nothing to be said of it but its name."""
    path = next(path for path in workflows.shipped() if path.stem == name)
    source = read_yaml(path.read_bytes(), path.name)
    emptied = 0
    for pointer in filter(None, source.marks):
        *way, last = [int(step) if step.isdigit() else step for step in pointer.split("/")[1:]]
        value = copy.deepcopy(source.value)
        place = functools.reduce(operator.getitem, way, value)
        place[last] = None
        is_refused = not VALIDATOR.is_valid(value)
        assert is_refused == (way not in (["roles"], ["states"])), pointer
        with pytest.raises(ValidationError) if is_refused else nullcontext():
            Definition.model_validate(value)
        emptied += 1
    assert emptied > 200


def test_every_key_says_what_it_is_for_and_none_is_explained_in_vain():
    used = set()

    def walk(node):
        for value in node.get("properties", {}).values():
            assert value["description"]
            used.add(value["description"])
        for value in node.values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict):
                    walk(item)

    walk(definition_schema())
    assert used == set(ABOUT.values())


GUIDE = (Path(__file__).parent.parent / "docs" / "workflows.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(?!scenarios:)(.*?)```", GUIDE, re.DOTALL)


def test_the_guide_explains_every_key():
    keys = {name.split(".")[1] for name in ABOUT}
    assert {key for key in keys if f"`{key}`" not in GUIDE and f"{key}:" not in GUIDE} == set()


def test_the_examples_in_the_guide_are_right():
    whole = load_definition(EXAMPLES[0], "waiver.yaml")
    assert whole.workflow == "waiver"
    for example in EXAMPLES[1:]:
        filled_in = {**whole.body, **read_yaml(example, "example.yaml").value}
        Definition.from_body(filled_in)
