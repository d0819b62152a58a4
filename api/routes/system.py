"""How the platform itself does: health, metrics, jobs, quarantine, the audit trail."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Path, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from api import replays
from api.acts import Acting
from api.context import ApiContext, Context
from api.errors import install_error_handlers
from api.guard import Guard
from api.paging import Page, Paging
from api.security import READERS, Admin, Engineer, Reader, identify, is_local, permit
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import audit, job_runs, processes, quarantine
from hearthwatch.records.audit import AuditEntry
from hearthwatch.records.job_runs import JobRun
from hearthwatch.records.processes import Process
from hearthwatch.records.quarantine import HeldItem

LOG = logging.getLogger(__name__)

router = APIRouter(tags=["system"])
at_root = APIRouter(tags=["system"])

Id = Annotated[int, Path(ge=1, le=2**53)]


@dataclass(frozen=True, slots=True)
class Held:
    """A thing in quarantine. ``payload`` is text where it is UTF-8, else base64 as ``encoding`` says."""

    id: int
    received_at: datetime
    source: str
    topic: str
    payload: str
    encoding: Literal["text", "base64"]
    device: str | None
    part: str
    reason: str
    samples: int
    seen: int
    state: str
    revision: int


class Counts(BaseModel):
    """How many of each."""

    counts: dict[str, int]


class HeldState(BaseModel):
    """What is to become of a thing in quarantine."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["held", "discarded"]


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """A process of the platform. ``reports``: whether it did within the last half minute; ``age_s`` is the age of its last report."""

    id: str
    role: str
    started_at: datetime
    seen_at: datetime
    age_s: float
    reports: bool
    health: Mapping[str, Any]


def create_health_app(context: ApiContext) -> FastAPI:
    """What a process without the API says of itself: /healthz, /readyz, /health and /metrics."""
    app = FastAPI(title=context.settings.brand_name, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.context = context
    install_error_handlers(app)
    app.add_middleware(Guard)
    app.include_router(at_root)
    return app


# -- health and metrics


@at_root.get("/healthz", include_in_schema=False)
def get_liveness() -> Response:
    """This process is alive. Nothing else is asked: a server that is away is no reason to start us anew."""
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


@at_root.get("/readyz", include_in_schema=False)
def get_readiness(request: Request, context: Context) -> Response:
    """Whether this process can do its work: the stores answer, and every part of its own does well; else 503."""
    stores, parts = _stores(context), _own_parts(context)
    ready = all(state == "ok" for state in stores.values()) and all(_is_well(part) for part in parts.values())
    answer: dict[str, Any] = {"status": "ok" if ready else "unavailable"}
    if _may_read(request, context):
        answer["parts"] = {**stores, **parts}
    return JSONResponse(answer, status_code=200 if ready else 503, headers={"Cache-Control": "no-store"})


@router.get("/health")
@at_root.get("/health", include_in_schema=False)
def get_health(request: Request, context: Context) -> Response:
    """Whether it works: `ok`, `degraded` when a part does not, or 503 and `unavailable` when a store is away.

    Which part is how is told only to this machine and to those who may read.
    """
    stores = _stores(context)
    parts = {**_parts_elsewhere(context), **_own_parts(context)} if stores["records"] == "ok" else _own_parts(context)
    well = all(state == "ok" for state in stores.values())
    whole = all(_is_well(part) for part in parts.values())
    answer: dict[str, Any] = {"status": "unavailable" if not well else "ok" if whole else "degraded"}
    if _may_read(request, context):
        answer["parts"] = {**stores, **parts}
    return JSONResponse(answer, status_code=200 if well else 503, headers={"Cache-Control": "no-store"})


@router.get("/metrics", response_class=Response)
@at_root.get("/metrics", response_class=Response, include_in_schema=False)
def get_metrics(request: Request, context: Context) -> Response:
    """Counters for Prometheus; from another machine a token is needed."""
    if not is_local(request):
        permit(identify(context, request), *READERS)
    return Response(generate_latest(context.registry), media_type=CONTENT_TYPE_LATEST)


def _stores(context: ApiContext) -> dict[str, str]:
    return {
        "records": _reachable(lambda: _ask_records(context)),
        "telemetry": _reachable(lambda: _ask_store(context)),
    }


def _own_parts(context: ApiContext) -> dict[str, Any]:
    return {name: _told(value) for name, value in context.health.items()}


def _parts_elsewhere(context: ApiContext) -> dict[str, Any]:
    """What other processes report: a role does well when one at least reports, and all that report do well."""
    now = context.clock.now()
    with context.database.reading() as connection:
        known = processes.list_processes(connection)
    parts: dict[str, Any] = {}
    for role in sorted({one.role for one in known} - {"all", "api"}):
        running = [one for one in known if one.role == role and one.reports(now)]
        well = all(_is_well(part) for one in running for part in one.health.values())
        parts[role] = {"ok": bool(running) and well, "processes": len(running)}
        if samples := processes.samples(running):
            parts[role]["samples"] = samples
    return parts


def _is_well(part: object) -> bool:
    return bool(part.get("ok", True)) if isinstance(part, Mapping) else True


def _ask_records(context: ApiContext) -> None:
    with context.database.reading() as connection:
        quarantine.counts(connection)


def _ask_store(context: ApiContext) -> None:
    now = context.clock.now()
    context.store.events(now, now)  # an empty span: it asks for nothing, but the store has to answer


def _reachable(ask: Callable[[], object]) -> str:
    try:
        ask()
    except HearthwatchError as error:
        LOG.warning("health: %s", error)
        return "unavailable"
    return "ok"


def _may_read(request: Request, context: ApiContext) -> bool:
    if is_local(request):
        return True
    try:
        permit(identify(context, request), *READERS)
    except HearthwatchError:
        return False
    return True


def _told(value: object) -> Any:
    return value() if callable(value) else value


# -- processes


@router.get("/processes")
def list_running(context: Context, _caller: Reader) -> Page[RunningProcess]:
    """The processes of the platform and how each says it is; one that ended in disorder is shown for an hour."""
    now = context.clock.now()
    with context.database.reading() as connection:
        known = processes.list_processes(connection)
    return Page(items=[_running(process, now) for process in known])


def _running(process: Process, now: datetime) -> RunningProcess:
    age = max(0.0, (now - process.seen_at).total_seconds())
    return RunningProcess(
        id=process.id,
        role=process.role,
        started_at=process.started_at,
        seen_at=process.seen_at,
        age_s=round(age, 1),
        reports=process.reports(now),
        health=process.health,
    )


# -- jobs


@router.get("/jobs")
def list_jobs(context: Context, _caller: Reader) -> Page[JobRun]:
    """The newest run of every job."""
    with context.database.reading() as connection:
        return Page(items=job_runs.latest(connection))


@router.get("/jobs/runs")
def list_runs(context: Context, _caller: Reader, paging: Paging, job: str | None = None) -> Page[JobRun]:
    """Runs of jobs, newest first."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: job_runs.list_runs(connection, job=job, before=paging.after_id, limit=limit),
            key=lambda run: run.id,
        )


# -- quarantine


@router.get("/quarantine")
def list_quarantine(
    context: Context,
    _caller: Reader,
    paging: Paging,
    state: Literal["held", "replayed", "discarded"] | None = None,
) -> Page[Held]:
    """What could not be taken in, newest first, with the reason."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: [
                _held(item)
                for item in quarantine.list_items(connection, state=state, after=paging.after_id, limit=limit)
            ],
            key=lambda item: item.id,
        )


@router.get("/quarantine/counts")
def count_quarantine(context: Context, _caller: Reader) -> Counts:
    """How many things are in quarantine, by state."""
    with context.database.reading() as connection:
        return Counts(counts=quarantine.counts(connection))


@router.post("/quarantine/replay", response_model=Counts)
def replay_quarantine(context: Context, caller: Engineer) -> Counts:
    """Try again what is held, through today's decoders and mapping files; what is still malformed stays held."""
    return Counts(counts=dict(replays.replay_quarantine(context, caller.name)))


@router.patch("/quarantine/{item_id}", response_model=Held)
def mark_quarantine(caller: Engineer, act: Acting, item_id: Id, body: HeldState) -> Response:
    """Discard a thing, so that it does not come back, or hold it again."""

    def mark(connection: Any) -> Held:
        quarantine.mark(connection, [item_id], body.state)
        return _held(quarantine.get(connection, item_id))

    return act.do(caller, f"quarantine.{body.state}", f"quarantine:{item_id}", mark)


def _held(item: HeldItem) -> Held:
    try:
        payload, encoding = item.payload.decode(), "text"
    except UnicodeDecodeError:
        payload, encoding = base64.b64encode(item.payload).decode(), "base64"
    kept = {name: getattr(item, name) for name in HeldItem.__dataclass_fields__ if name != "payload"}
    return Held(**kept, payload=payload, encoding=encoding)  # type: ignore[arg-type]


# -- who did what


@router.get("/audit")
def list_audit(context: Context, _caller: Admin, paging: Paging, about: str | None = None) -> Page[AuditEntry]:
    """Who did what to which thing, newest first; ``about`` names a thing as ``finding:12``."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: audit.list_entries(connection, about=about, after=paging.after_id, limit=limit),
            key=lambda entry: entry.id,
        )
