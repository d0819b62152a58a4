"""The platform over HTTP: REST under /api/v1, the customer's page, and the staff's pages."""

from __future__ import annotations

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer

from api import customer, sign_in
from api.context import ApiContext
from api.errors import RESPONSES, install_error_handlers
from api.guard import Guard
from api.parameters import only_declared
from api.report import following as report_following
from api.report import routes as report_form
from api.routes import (
    aliases,
    backtests,
    backups,
    campaigns,
    commands,
    comparisons,
    customers,
    devices,
    field_service,
    findings,
    groups,
    hold_outs,
    intake,
    knowledge,
    late_days,
    learning,
    liveness,
    mirrors,
    models,
    notice_kinds,
    notices,
    outages,
    outbox,
    personal_data,
    policies,
    policy_reasons,
    policy_replays,
    product_models,
    prognoses,
    releases,
    rollouts,
    sla,
    system,
    ticket_remedies,
    ticket_work,
    tickets,
)
from hearthwatch import __version__

__all__ = ["PREFIX", "ApiContext", "create_app"]

PREFIX = "/api/v1"

# For the description alone: who the caller is, `api.security` finds out.
BEARER = HTTPBearer(auto_error=False, scheme_name="token", description="`hearthwatch token create --role ROLE`")

DESCRIPTION = """
Predictive maintenance for makers of smart-home devices.

* **Authorization**: `Authorization: Bearer hw_...` (`hearthwatch token create --role ROLE`). Roles: `viewer`, `engineer`, `agent`,
  `technician`, `admin`.
* **Errors** are RFC 9457 problem documents (`application/problem+json`); `status` says what to do: 401 sign in, 403/404/409/422 do not
  retry, 412 read again, 429 and 503 retry after `Retry-After`.
* **Lists** come in pages: `{"items": [...], "next": cursor or null}`; give `next` back as `?cursor=`.
* **Parameters** that a route does not know are refused (422), never ignored.
* **Writes** take `If-Match` with the `ETag` you read, and POST takes an `Idempotency-Key`, with which a repeated request does its
  work once.
* **Times** are ISO 8601 in UTC.
"""


def create_app(context: ApiContext, *, with_pages: bool = True) -> FastAPI:
    """The whole application over one context; without the staff's pages where only the API is wanted."""
    app = FastAPI(title=context.settings.brand_name, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.context = context
    app.state.guess_brake = sign_in.GuessBrake()
    install_error_handlers(app)
    app.add_middleware(Guard)
    app.mount(PREFIX, _rest(app))
    app.include_router(system.at_root)
    app.include_router(campaigns.at_root)
    app.include_router(sign_in.pages)
    app.include_router(customer.router)
    app.include_router(report_following.router)
    app.include_router(report_form.router)
    if with_pages:
        _mount_pages(app, context)
    return app


def _rest(app: FastAPI) -> FastAPI:
    """The REST API. An application of its own, so that what it does not know is a problem document and no page."""
    rest = FastAPI(
        title="Hearthwatch",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # its page would load scripts from another site
        redoc_url=None,
        responses=RESPONSES,
        dependencies=[Depends(only_declared), Depends(BEARER)],
    )
    rest.state = app.state
    install_error_handlers(rest)
    for noun in (
        devices, liveness, prognoses, aliases, commands, groups, releases, rollouts, comparisons, findings, hold_outs,
        campaigns, notice_kinds, tickets, ticket_work, ticket_remedies, notices, outbox,
        late_days, sla, customers, personal_data, field_service,
        policy_replays, policies, policy_reasons, product_models, outages, mirrors, knowledge, learning, intake, models, system,
        backups, backtests, sign_in,
    ):  # fmt: skip
        rest.include_router(noun.router)
    return rest


def _mount_pages(app: FastAPI, context: ApiContext) -> None:
    """The staff's pages come last: they take every path that nothing else has taken."""
    from api import pages  # it brings all of NiceGUI along, which the API alone does without

    mount = getattr(pages, "mount", None)
    if mount is not None:
        mount(app, context)
