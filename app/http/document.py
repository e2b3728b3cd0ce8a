"""What the OpenAPI document says beside what the framework reads from the addresses themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.http import answers, commands, problems

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
BATCH = "application/cloudevents-batch+json"

PROBLEM: dict[str, Any] = {
    "description": "Problem details (RFC 9457)",
    "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}},
}


def answered(model: type, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers an address can give, for the document."""
    said: dict[int | str, dict[str, Any]] = {200: {"model": model}}
    for status in (400, 401, 403, 421, 422, 500, 503, *statuses):
        said[status] = PROBLEM
    return said


AS_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "model": answers.FeedAnswer,
        "content": {
            BATCH: {
                "schema": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/CloudEventAnswer"},
                }
            },
            EVENT_STREAM: {"schema": {"type": "string"}},
        },
    }
}


_COMMAND_SCHEMA = commands.ASKED.json_schema(ref_template="#/components/schemas/{model}")
_COMMAND_PARTS: dict[str, Any] = _COMMAND_SCHEMA.pop("$defs")
_PROBLEM_SCHEMA = answers.ProblemAnswer.model_json_schema(
    ref_template="#/components/schemas/{model}"
)
_PROBLEM_PARTS = {**_PROBLEM_SCHEMA.pop("$defs"), "ProblemAnswer": _PROBLEM_SCHEMA}
COMMAND_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 202},
}
COMMAND_BODY = {
    "required": True,
    "content": {"application/json": {"schema": _COMMAND_SCHEMA}},
}


def documented(write: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """The body of a command is read by hand, so its schemas are put in by hand, too."""

    def document() -> dict[str, Any]:
        written = write()
        schemas = written["components"]["schemas"]
        schemas |= _COMMAND_PARTS | _PROBLEM_PARTS
        return written

    return document
