"""What a YAML file says, where it says it, and what is refused."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.yaml_source import LARGEST_FILE, MOST_PROBLEMS, read_yaml
from tests.processor import processor_seconds


def problems_or_none(text):
    try:
        read_yaml(text, "f.yaml")
    except BadInput as error:
        return list(map(str, error.problems))


def problems(text):
    told = problems_or_none(text)
    assert told, "it was read without complaint"
    return told


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"),
        ("no", "no"),
        ("y", "y"),
        ("2026-12-31", "2026-12-31"),
        ("2023-14-05", "2023-14-05"),
        ("12:30", "12:30"),
        ("1.10", "1.10"),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1e3", "1e3"),
        ("1_000", "1_000"),
        ("+1", "+1"),
        (".inf", ".inf"),
        ("=", "="),
        ("'3'", "3"),
        ('"true"', "true"),
        ("''", ""),
        ("3", 3),
        ("0", 0),
        ("-12", -12),
        ("9" * 15, 10**15 - 1),
        ("9" * 16, "9" * 16),
        ("9" * 5000, "9" * 5000),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("# nothing", None),
        ("'café \U0001f600'", "café \U0001f600"),
        ("|\n  one\n  two\n", "one\ntwo\n"),
        (">\n  one\n  two\n", "one two\n"),
    ],
)
def test_what_is_written_means_what_yaml_1_2_says_and_no_digit_is_lost(written, meant):
    [value] = read_yaml(f"a: {written}", "f.yaml").value.values()
    assert value == meant
    assert type(value) is type(meant)


NESTED = """# a comment
title: Café
data:
  amount: {type: money,
           least: 1.10}
by: requester
list:
- a
-
  b: 1
odd/key~: x
empty:
"""


@pytest.mark.parametrize(
    ("pointer", "where"),
    [
        ("", "1:1"),
        ("/title", "2:8"),
        ("/data", "3:1"),
        ("/data/amount", "4:3"),
        ("/data/amount/least", "5:19"),
        ("/list", "7:1"),
        ("/list/0", "8:3"),
        ("/list/1", "10:3"),
        ("/list/1/b", "10:6"),
        ("/odd~1key~0", "11:11"),
        ("/empty", "12:1"),
        # Not there: the nearest thing around it.
        ("/nowhere", "1:1"),
        ("/data/nothing", "3:1"),
        ("/data/amount/type/0/deeper", "4:18"),
        # A lone value named as a list of one.
        ("/by/0", "6:5"),
    ],
)
def test_everything_has_its_line_and_column(pointer, where):
    assert read_yaml(NESTED, "f.yaml").where(pointer) == f"f.yaml:{where}"


def test_keys_have_their_own_place():
    source = read_yaml(NESTED, "f.yaml")
    assert source.where_key("/title") == "f.yaml:2:1"
    assert source.where_key("/data/amount/least") == "f.yaml:5:12"


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", "f.yaml:1:1: there is nothing in it (it needs at least one key)"),
        ("# only\n# comments\n", "f.yaml:1:1: there is nothing in it"),
        ("---\n", "f.yaml:1:1: there is nothing in it"),
        (b"a: caf\xe9\n", "f.yaml:1:7: byte 6 (0xe9) is not UTF-8 (save the file as UTF-8)"),
        (b"\xff\xfea\x00", "f.yaml:1:1: byte 0 (0xff) is not UTF-8"),
        ("a: 1\nb: \x00\n", "f.yaml:2:4: there is a control character (U+0000) (remove it)"),
        ("a: \x1b[31m", "f.yaml:1:4: there is a control character (U+001B)"),
        ("a: \ud800", "f.yaml:1:4: there is a control character (U+D800)"),
        ('a: "\\0"', "f.yaml:1:4: spells a control character (U+0000)"),
        ('a: "\\ud800"', "f.yaml:1:4: spells a control character (U+D800)"),
        ('a: "\\UFFFFFFFF"', "f.yaml:1:1: after this something is not YAML"),
        (
            "a:\n\tb: 1",
            "f.yaml:2:1: is not YAML: found character '\\t' that cannot start any token",
        ),
        ("a: b: c", "f.yaml:1:5: is not YAML: mapping values are not allowed here (put text that"),
        ("a: 'x", "f.yaml:1:4: is not YAML: found unexpected end of stream (close the quotes)"),
        ("a: [1, 2", "f.yaml:1:9: is not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: @b", "f.yaml:1:4: is not YAML: found character '@' that cannot start any token (put"),
        ("a: 1\na: 2", "f.yaml:2:1: the key 'a' is already there, in line 1, column 1 (keep one"),
        ("{a: 1, b: {c: 1, c: 2}}", "f.yaml:1:18: the key 'c' is already there, in line 1"),
        ("a: &b 1", "f.yaml:1:4: &b is an anchor (write it out where it is needed)"),
        ("a: &b [*b]", "f.yaml:1:4: &b is an anchor"),
        ("a: *b", "f.yaml:1:4: *b is an alias (write it out)"),
        ("*a : 1", "f.yaml:1:1: an alias cannot be a key (write it out)"),
        ("<<: {a: 1}", "f.yaml:1:1: << merges another map into this one (write it out)"),
        ("a: !!python/object:os.system x", "f.yaml:1:4: tag:yaml.org,2002:python/object:os.syst"),
        ("a: 1\n---\nb: 1", "f.yaml:2:1: there is more than one document (one file, one document)"),
        ("2024: 1", 'f.yaml:1:1: the key 2024 is not text (write "2024")'),
        ("true: 1", 'f.yaml:1:1: the key true is not text (write "true")'),
        (": 1", "f.yaml:1:1: there is a ':' without a key before it (name the key)"),
        ("[a]: 1", "f.yaml:1:1: a map or a list cannot be a key (use text)"),
        ("a: " + "[" * 21, "f.yaml:1:23: more than 20 maps and lists within each other"),
    ],
)
def test_what_reads_two_ways_or_not_at_all_is_refused_with_its_place(text, first):
    assert problems(text)[0].startswith(first)


def test_several_problems_are_told_at_once():
    assert [problem.split(": ")[0] for problem in problems("a: &x 1\nb: *x\na: !t 2\n")] == [
        "f.yaml:1:4",
        "f.yaml:2:4",
        "f.yaml:3:1",
        "f.yaml:3:4",
    ]


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem():
    assert read_yaml(b"\xef\xbb\xbfa: 1\r\nb: x\r\n", "f.yaml").value == {"a": 1, "b": "x"}


def test_twenty_levels_are_not_too_deep():
    assert read_yaml("[" * 20 + "]" * 20, "f.yaml").value


BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n"
    for old, new in zip("abcdefghijk", "bcdefghijkl", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000_000,
        b"a: 1\n" * 2_000_000,
        BOMB * 100,
        "[" * LARGEST_FILE,
        "{a: " * (LARGEST_FILE // 4),
        "- " * (LARGEST_FILE // 2),
        "? " * (LARGEST_FILE // 2),
        "*a " * (LARGEST_FILE // 3),
    ],
    ids=[
        "10 MB",
        "10 MB of bytes",
        "bomb",
        "brackets",
        "braces",
        "dashes",
        "question marks",
        "stars",
    ],
)
def test_what_is_made_to_hurt_is_refused_soon(text):
    found = []
    assert processor_seconds(lambda: found.extend(problems(text))) < 10
    assert len(found) <= MOST_PROBLEMS


@given(st.text(max_size=200) | st.text(alphabet="a:- \n[]{},'\"&*!|>?#%@\\\t~<0", max_size=60))
def test_whatever_the_text_the_answer_is_a_value_or_problems_with_places(text):
    told = problems_or_none(text)
    assert told is None or told
    assert all(re.match(r"f\.yaml:\d+:\d+: .", problem) for problem in told or ())


@given(st.binary(max_size=100))
def test_whatever_the_bytes_the_answer_is_a_value_or_problems(data):
    told = problems_or_none(data)
    assert told is None or told


plain_text = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
)
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**14), 10**14) | plain_text,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(plain_text.map(lambda t: t[:50]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(plain_text.map(lambda t: t[:50]), plain_json, min_size=1, max_size=4))
def test_json_is_yaml(value):
    assert read_yaml(json.dumps(value, ensure_ascii=False), "f.json").value == value
    assert read_yaml(json.dumps(value, ensure_ascii=False, indent=2), "f.json").value == value


def test_a_key_without_its_colon_is_told_in_its_own_line() -> None:
    with pytest.raises(BadInput) as caught:
        read_yaml("workflow: x\nversion 1\ntitle: y\n", "x.yaml")
    (problem,) = caught.value.problems
    assert problem.where == "x.yaml:2:1"
    assert problem.mend == "a key needs ': ' after it, on its line"
