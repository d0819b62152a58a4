"""A parameter that a route does not know is refused by name, on every route of the REST API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import Mount

from api.app import PREFIX, ApiContext, create_app
from tests.unit.api.conftest import Client

IN_PATH = re.compile(r"\{[^}]*\}")
ROOT = Path(__file__).parents[3]
ADDRESS = re.compile(r"/api/v1(/[^\s?`\"']*)\?((?:[a-z_]+=[^\s`\"'&;,)]*&?)+)")


def rest_of(app: FastAPI) -> FastAPI:
    """The REST application within the whole one."""
    found = next(route.app for route in app.routes if isinstance(route, Mount) and route.path == PREFIX)
    assert isinstance(found, FastAPI)
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Every method and path, with the query parameters that are documented."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            names = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
            yield method.upper(), path, names


@pytest.fixture
def admin(client: Client) -> TestClient:
    return client("admin")


def test_every_route_refuses_what_it_does_not_know_and_names_what_it_does(
    context: ApiContext, admin: TestClient
) -> None:
    document = rest_of(create_app(context, with_pages=False)).openapi()
    all_of_them = list(operations(document))
    assert len(all_of_them) > 100
    for method, path, names in all_of_them:
        answer = admin.request(method, PREFIX + IN_PATH.sub("1", path), params={"nobody_knows": "1"})
        assert answer.status_code == 422, f"{method} {path}: {answer.status_code}"
        told = answer.json()
        assert told["where"] == "query.nobody_knows", f"{method} {path}"
        there_are = f"there are {', '.join(sorted(names))}" if names else "there are none here"
        assert told["detail"] == f"there is no parameter 'nobody_knows'; {there_are}", f"{method} {path}"


def told_addresses() -> Iterator[tuple[str, str, list[str]]]:
    """Addresses with parameters in the documents and on the staff's pages: the file, the path, the names."""
    for path in [*ROOT.glob("docs/*.md"), *ROOT.glob("README*.md"), *ROOT.glob("api/pages/*.py")]:
        for found in ADDRESS.finditer(path.read_text(encoding="utf-8")):
            names = [name for name, _ in parse_qsl(found[2], keep_blank_values=True)]
            yield path.name, IN_PATH.sub("1", found[1]), names


def test_the_addresses_in_documents_and_on_pages_are_taken(context: ApiContext) -> None:
    document = rest_of(create_app(context, with_pages=False)).openapi()
    taken = [
        (re.compile(IN_PATH.sub("[^/]+", path)), names)
        for method, path, names in operations(document)
        if method == "GET"
    ]
    told = list(told_addresses())
    assert len(told) > 10
    for file, path, names in told:
        fitting = [known for pattern, known in taken if pattern.fullmatch(path)]
        assert fitting, f"{file}: there is no {path}"
        assert any(set(names) <= set(known) for known in fitting), f"{file}: {path} takes {fitting}, not {names}"


def test_a_misspelt_filter_is_no_filter_that_finds_everything(admin: TestClient) -> None:
    assert admin.get(f"{PREFIX}/findings", params={"mode": "battery_fade", "limit": 5}).status_code == 200
    told = admin.get(f"{PREFIX}/findings", params={"modes": "battery_fade"})
    assert told.status_code == 422
    assert "mode," in told.json()["detail"]


def test_a_name_of_any_length_is_told_in_short(admin: TestClient) -> None:
    told = admin.get(f"{PREFIX}/health", params={"x" * 5000: "1"})
    assert told.status_code == 422
    assert len(told.text) < 500
