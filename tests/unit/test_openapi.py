"""The description of the API: valid OpenAPI 3.1, and nothing of the route table missing from it."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from pipeline.http.deps import Route
from pipeline.http.openapi import describe, refusals_of
from pipeline.http.routes import ROUTES
from pipeline.http.schema import SubmitBody
from pipeline.refusals import Refusal

DESCRIPTION = describe(ROUTES, "1.2.3")


def test_description_is_valid() -> None:
    """The description is valid OpenAPI 3.1, as an independent validator reads it."""
    assert "3.1.0" == DESCRIPTION["openapi"]
    OpenAPIV31SpecValidator(DESCRIPTION).validate()


def test_every_route_is_described() -> None:
    """Every route is there with its method, and nothing else is."""
    described = [(method.upper(), path) for path, each in DESCRIPTION["paths"].items() for method in each]
    assert [(route.method, route.path) for route in ROUTES] == described


def test_operations_have_names_of_their_own() -> None:
    """Every operation has a name that no other one has, and a sentence that says what it does."""
    operations = [operation for each in DESCRIPTION["paths"].values() for operation in each.values()]
    assert len(operations) == len({operation["operationId"] for operation in operations})
    assert [] == [each["operationId"] for each in operations if not re.fullmatch(r"[A-Z][^`\n]*\.", plain(each))]


def plain(operation: dict[str, str]) -> str:
    return operation["summary"].replace("`", "")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_route_is_described_whole(route: Route) -> None:
    """A route's parameters, answers, refusals and need of a token are all described."""
    operation = DESCRIPTION["paths"][route.path][route.method.lower()]
    in_path = set(re.findall(r"{(\w+)}", route.path))
    assert in_path | (route.query or frozenset()) | set(route.headers) == {
        each["name"] for each in operation["parameters"]
    }
    assert route.public == (operation.get("security") == [])
    statuses = {str(status) for status in route.answers} | ({"200"} if route.bare else set())
    statuses |= {str(refusal.status) for refusal in refusals_of(route)}
    assert statuses == set(operation["responses"])
    assert bool(route.body) == ("requestBody" in operation)


def test_every_refusal_is_promised_somewhere() -> None:
    """Every refusal but that of a method is promised by some route: none is left that could not happen."""
    promised = {refusal for route in ROUTES for refusal in refusals_of(route)}
    left = {refusal.type for refusal in leaves(Refusal) if refusal not in promised}
    assert {"method_not_allowed"} == left


def leaves(refusal: type[Refusal]) -> set[type[Refusal]]:
    branches = refusal.__subclasses__()
    return set().union(*map(leaves, branches)) if branches else {refusal}


def test_statuses_are_those_of_http() -> None:
    """Every status that is promised is one of HTTP's."""
    operations = [operation for each in DESCRIPTION["paths"].values() for operation in each.values()]
    statuses = {status for operation in operations for status in operation["responses"]}
    assert {"200", "202", "401", "404", "422", "429", "503"} <= statuses
    assert all(HTTPStatus(int(status)) for status in statuses)


def test_form_has_the_fields_of_the_body() -> None:
    """A form has a file and all fields of the JSON body but the addresses."""
    content = DESCRIPTION["paths"]["/api/transcribe"]["post"]["requestBody"]["content"]
    fields = set(content["multipart/form-data"]["schema"]["properties"])
    assert fields - {"file"} == set(SubmitBody.model_fields) - {"url", "urls", "download_url"}
