"""Photos over HTTP, with headers that let a browser show a picture and do nothing else with it."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.responses import Response

from hearthwatch.records import report_photos

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "private, no-store",
}


def served(connection: Connection, photo_id: int, *, small: bool = False) -> Response:
    """A photo, or its small copy. Raises `Missing`."""
    facts, content = report_photos.photo(connection, photo_id, thumbnail=small)
    named = f'inline; filename="report-{facts.report_id}-{facts.id}.jpg"'
    return Response(content, media_type=facts.mime, headers={**HEADERS, "Content-Disposition": named})
