"""The OpenAPI document, and the service held against it by schemathesis."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.http.conftest import Running
from tests.patience import PATIENCE

WAITS = ("wait", "at_least")
"""What has an answer take long; other tests see to that."""


@pytest.mark.parametrize("mode", [*GenerationMode], ids=lambda mode: mode.value)
def test_every_address_answers_as_the_document_says(shared: Running, mode):
    """Its addresses are asked with what the document allows (positive), and what it does not."""
    document = schemathesis.openapi.from_url(f"{shared.address}/v1/openapi.json")
    asked = set()
    for found in document.get_all_operations():
        operation = found.ok()
        # Not all rules can be said in a schema: which workflows there are, what makes a key. And
        # on its way here a list of one text, where lists are wanted, is the same as that text.
        unsure = [positive_data_acceptance]
        if operation.label == "GET /v1/events":
            unsure.append(negative_data_rejection)

        @settings(max_examples=25, deadline=None, derandomize=True, database=None,
                  suppress_health_check=[*HealthCheck])  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case):
            for name in WAITS:
                if str((case.query or {}).get(name, "")).replace(".", "").isdigit():
                    case.query[name] = 0
            case.call_and_validate(timeout=PATIENCE, excluded_checks=unsure)  # noqa: B023
            asked.add(case.operation.label)

        try:
            check()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # where nothing is asked, nothing is wrong
    assert "POST /v1/commands" in asked
    assert "GET /v1/events" in asked


def test_every_reference_in_the_document_leads_somewhere(shared):
    document = shared.client.get("/v1/openapi.json").json()
    found: list[str] = []

    def walk(part):
        if isinstance(part, dict):
            found.extend(v for k, v in part.items() if k == "$ref")
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(document)
    assert found
    for reference in found:
        here = document
        for step in reference.removeprefix("#/").split("/"):
            here = here[step]


def test_no_page_that_loads_from_elsewhere_is_served(shared):
    for address in ("/docs", "/redoc", "/openapi.json"):
        assert shared.client.get(address).status_code == 404
