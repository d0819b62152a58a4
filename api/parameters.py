"""What may stand behind the ``?`` of a request: what the route declares, and nothing else.

A misspelt filter that is ignored answers another question than the one that was asked, and looks like its answer.
"""

from __future__ import annotations

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute

from hearthwatch.errors import Invalid

_LONGEST = 60


def only_declared(request: Request) -> None:
    """Raises `Invalid` for the first query parameter that the route does not declare, with those that it does."""
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute):
        return
    known = declared(route)
    for name in request.query_params:
        if name not in known:
            there_are = f"there are {', '.join(sorted(known))}" if known else "there are none here"
            raise Invalid(f"there is no parameter {name[:_LONGEST]!r}; {there_are}", where=f"query.{name[:_LONGEST]}")


def declared(route: APIRoute) -> frozenset[str]:
    """The query parameters that a route takes, those of its dependencies among them."""
    return frozenset(one.alias for one in get_flat_params(route.dependant) if isinstance(one.field_info, Query))
