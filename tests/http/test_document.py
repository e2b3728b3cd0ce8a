"""The OpenAPI document, and the service held against it by schemathesis."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from tests.http.conftest import Running


@pytest.fixture(scope="module")
def document(shared: Running):
    return schemathesis.openapi.from_url(f"{shared.address}/v1/openapi.json")


ALL = schemathesis.pytest.from_fixture("document")


@ALL.parametrize()
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
def test_every_address_answers_as_the_document_says(case):
    case.call_and_validate(timeout=20)


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
