"""The way to the form on which a customer reports a problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.customer.look import Look, Section


def show(look: Look) -> Mapping[str, Any] | None:
    """Where the form is."""
    return {"address": f"{look.path}/report" + (f"?lang={look.wanted}" if look.wanted else "")}


SECTION = Section("report", show)
