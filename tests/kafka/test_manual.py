"""docs/kafka.md says what is so: its settings load, its command is one, its reader reads."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import consumers.kafka_reader
from app.cli.kafka import kafka_command
from app.settings import Settings
from consumers.kafka_commands import check, read_command
from engine.commands import ASKABLE
from engine.validation import validate
from engine.yaml_source import read_yaml
from tests.cli.conftest import ROOT

MANUAL = (ROOT / "docs" / "kafka.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)


def loaded() -> list[Settings]:
    return [
        validate(Settings, read_yaml(text.encode(), "docs/kafka.md")) for text in blocks("yaml")
    ]


def test_the_settings_load_and_those_of_the_first_block_are_all_told():
    first, second = loaded()
    assert first.kafka is not None
    assert first.kafka.security.password_env == "PMO_KAFKA_PASSWORD"
    assert second.kafka is not None
    assert second.kafka.intake is not None
    told = {name for name in type(first.kafka).model_fields if name in MANUAL}
    assert told == {*type(first.kafka).model_fields}
    for part in (first.kafka.topics, first.kafka.security, second.kafka.intake):
        assert [name for name in type(part).model_fields if name not in MANUAL] == []


def test_the_command_is_one_that_its_topic_may_give():
    (text,) = (block for block in blocks("json") if '"kind"' in block)
    kind, command = read_command(text.encode(), {}, 10_000)
    settings = loaded()[1].kafka
    assert settings is not None
    assert settings.intake is not None
    check(kind, command, settings.intake.topics["crm.commands"])
    assert [name for name in ASKABLE if f"| `{name}` |" not in MANUAL] == []


def test_the_verbs_are_those_that_there_are():
    told = set(re.findall(r"pmo kafka ([a-z-]+)", MANUAL))
    assert told == {*kafka_command.commands}


def test_the_reader_reads(house, settings, relaying, prefix, tmp_path: Path, monkeypatch):
    house.approved(house.start("plan").stream, "scope")
    relaying(settings).catch_up()
    (text,) = blocks("python")
    at_home = {
        "broker-1:9092": settings.bootstrap[0],
        "pmo.events": settings.topics.events,
        '"billing"': f'"{prefix}"',
        "billing.db": str(tmp_path / "billing.db"),
    }
    for there, here in at_home.items():
        assert there in text
        text = text.replace(there, here)
    read = consumers.kafka_reader.read
    monkeypatch.setattr(consumers.kafka_reader, "read", lambda *said: read(*said, idle_for=3))
    exec(compile(text, "docs/kafka.md", "exec"), names := {})  # type: ignore[var-annotated]
    names["connection"].close()
    with closing(sqlite3.connect(tmp_path / "billing.db")) as mine:
        assert [row[0] for row in mine.execute("SELECT * FROM decisions")] == ["DEC-0001"]
