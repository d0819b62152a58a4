"""Plain pages from Jinja2 templates: everything escaped, no scripts, nothing loaded from anywhere."""

from __future__ import annotations

from importlib import resources
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

_FORM_TARGETS = "'self'"
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
    f"form-action {_FORM_TARGETS}; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}

_TEMPLATES = Environment(
    loader=FileSystemLoader(str(resources.files("api") / "templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, *, status: int = 200, referrer: str = "no-referrer", **values: Any) -> HTMLResponse:
    """A template filled in, with headers that let no script run and keep the address to ourselves.

    ``referrer`` is the Referrer-Policy. Under ``no-referrer`` a browser sends its form with ``Origin: null``, so a form whose
    origin is checked needs ``same-origin``.
    """
    headers = {**HEADERS, "Referrer-Policy": referrer}
    return HTMLResponse(_TEMPLATES.get_template(template).render(**values), status_code=status, headers=headers)
