"""Every error has one HTTP status, and comes out as a problem document that tells nothing of our insides."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.errors import STATUS, InvalidRows, install_error_handlers, status_of
from hearthwatch import errors
from hearthwatch.errors import HearthwatchError, Missing, Throttled, Unavailable

DECLARED = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, HearthwatchError) and kind is not HearthwatchError
]


def all_subclasses(kind: type[HearthwatchError]) -> Iterator[type[HearthwatchError]]:
    for below in kind.__subclasses__():
        yield below
        yield from all_subclasses(below)


def make(kind: type[HearthwatchError]) -> HearthwatchError:
    if issubclass(kind, Throttled):
        return kind("too often", retry_after=1.2)
    if issubclass(kind, InvalidRows):
        return kind("two faults", [{"where": "row 2"}])
    return kind("what went wrong", where="here")


def test_every_declared_error_is_mapped_to_a_status_of_its_own() -> None:
    assert set(DECLARED) == set(STATUS)
    assert len(set(STATUS.values())) == len(STATUS)


@pytest.mark.parametrize("kind", sorted(set(all_subclasses(HearthwatchError)), key=str))
def test_every_error_anywhere_comes_out_as_a_problem(kind: type[HearthwatchError]) -> None:
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/")
    def fail() -> None:
        raise make(kind)

    with TestClient(app) as client:
        answer = client.get("/")
    assert answer.status_code == status_of(make(kind)) != 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    assert answer.json()["detail"] == make(kind).message


@pytest.mark.parametrize(
    ("error", "header"), [(Throttled("x", retry_after=1.2), "2"), (Unavailable("x", retry_after=3), "3")]
)
def test_when_to_retry_is_told_where_it_is_known(error: HearthwatchError, header: str) -> None:
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/")
    def fail() -> None:
        raise error

    with TestClient(app) as client:
        assert client.get("/").headers["retry-after"] == header


def test_an_error_nobody_foresaw_tells_nothing_of_our_insides() -> None:
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/")
    def fail() -> None:
        raise ZeroDivisionError("password=hunter2")

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in answer.text


def test_an_error_is_known_by_the_nearest_class_above_it() -> None:
    class MissingDevice(Missing):
        """A kind of its own."""

    assert status_of(MissingDevice("x")) == 404
    assert status_of(HearthwatchError("x")) == 500
