"""The customer's page: plain HTML behind a signed link, without login and without scripts. It is made of sections."""

from __future__ import annotations

from api.customer.routes import router

__all__ = ["router"]
