"""Builds the platform from its settings: the only place where addresses become adapters.

What only some roles need is imported where it is built: an ingestor starts in half the time without the pages and their libraries.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from alerts.knowledge.library import ensure_articles
from alerts.policy.versions import ensure_policy
from analytics.cohorts.spec import watched_metrics
from api.context import ApiContext
from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import Channel, Clock, Publisher, ServiceDesk, TelemetryStore
from hearthwatch.records import decoder_states
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.leases import Lease, lease
from hearthwatch.run.channels import event_channels, letter_channels
from hearthwatch.run.doctor_costs import configured_costs
from hearthwatch.run.intake_limits import limits_of
from hearthwatch.run.mappings import spoken
from hearthwatch.run.metrics import PlatformMetrics, RequestMetrics
from hearthwatch.run.whole_file import told_plainly, whole_file
from hearthwatch.settings import Settings
from hearthwatch.telemetry import open_store
from hearthwatch.wire.registry import Decoder
from hearthwatch.wire.shared import SharedDecoder
from ingest.ledger import Ledger
from ingest.runner import Runner
from ingest.sessions import Plan, Sessions, Split
from ingest.spool import Spool, SpoolBounds
from ingest.spools import folder_of, sessions_with_a_spool

COMMAND_CLIENT = "hearthwatch-commands"
EMBEDDED = ("duckdb:", "sqlite:")
PLATFORM_LEASE = "platform"
SHORTEST_KEY = 16
"""Characters of a key that nobody guesses."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything that runs, built once. ``holder`` names this process, and no other before or after it, in leases and claims."""

    settings: Settings
    clock: Clock
    store: TelemetryStore
    database: Database
    secret_key: str
    holder: str
    ledger: Ledger = field(default_factory=Ledger)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    lease: Lease | None = None

    def close(self) -> None:
        """Release the stores."""
        self.store.close()
        self.database.close()
        if self.lease is not None:
            self.lease.give_up()


class Opener:
    """Opens the platform's stores; an opener that knows patience waits for servers that are away."""

    def attempt(self, opening: Callable[[], T]) -> T:
        """Do what may find a server away."""
        return opening()


def open_platform(settings: Settings, clock: Clock, role: str = "all", opener: Opener | None = None) -> Platform:
    """Open both stores, bring the schema up to date, see that a policy exists. Raises `Unavailable` or `Invalid`."""
    check_roles(settings, role)
    watched_metrics(settings.cohort_gauges)  # what is wrong with them is said now, not once an hour
    configured_costs(settings)
    once, patient = Opener(), opener or Opener()
    database = open_database(settings.records_address)
    held = _claim_embedded_records(settings, database)
    try:
        key = secret_key(settings, role)  # under the lease: of two that start at once one makes it
        (once if settings.records_address.startswith(EMBEDDED) else patient).attempt(database.upgrade)
        waiting = once if settings.telemetry_address.startswith(EMBEDDED) else patient
        store = waiting.attempt(lambda: open_store(settings.telemetry_address))
    except BaseException:
        database.close()
        if held is not None:
            held.give_up()
        raise
    platform = Platform(
        settings=settings,
        clock=clock,
        store=store,
        database=database,
        secret_key=key,
        holder=f"{socket.gethostname()[:80]}:{os.getpid()}:{secrets.token_hex(4)}",
        lease=held,
    )
    platform.ledger.register(platform.registry)
    PlatformMetrics(database, store, clock, channels=settings.channel_names).register(platform.registry)
    ProcessCollector(registry=platform.registry)
    PlatformCollector(registry=platform.registry)
    try:
        patient.attempt(lambda: _see_that_a_policy_exists(platform))
    except BaseException:
        platform.close()
        raise
    return platform


def _see_that_a_policy_exists(platform: Platform) -> None:
    with platform.database.transaction() as connection:
        ensure_policy(connection, platform.settings.policy_file, platform.clock.now())
        ensure_articles(connection, platform.clock.now())


def _claim_embedded_records(settings: Settings, database: Database) -> Lease | None:
    """SQLite belongs to one process, whatever the other store is. Raises `Unavailable` that names the process that has it.

    (DuckDB sees to this by itself.)
    """
    path = database.engine.url.database
    if not settings.records_address.startswith("sqlite:") or path in {None, "", ":memory:"}:
        return None
    held, note = lease(database, PLATFORM_LEASE), Path(f"{path}.{PLATFORM_LEASE}")
    if not held.hold():
        holder = note.read_text().strip() if note.exists() else "unknown"
        raise Unavailable(
            f"{path} is in use by a running hearthwatch (process {holder}), and embedded stores belong to one process;"
            " end it first, or use InfluxDB and PostgreSQL to run several",
            where="records",
        )
    note.write_text(f"{os.getpid()}\n")
    return held


def open_records(settings: Settings) -> Database:
    """The records alone, for commands that need nothing else; a fresh database is made ready.

    Raises `Unavailable` when the schema is that of another version.
    """
    database = open_database(settings.records_address)
    if database.is_fresh():
        database.upgrade()
    if not database.schema_is_current():
        database.close()
        raise Unavailable("the schema is not current; run: hearthwatch db upgrade", where="records")
    return database


def check_roles(settings: Settings, role: str) -> None:
    """Raise `Invalid` where a role of its own is asked of stores or a broker that belong to one process."""
    if role == "all":
        return
    if is_embedded(settings):
        raise Invalid(
            "the embedded stores belong to one process; use --role all, or servers for both stores", where="role"
        )
    if settings.broker.startswith("local://"):
        raise Invalid("local:// reaches nobody outside this process; use --role all, or an MQTT broker", where="broker")


def is_embedded(settings: Settings) -> bool:
    """Whether a store belongs to this process alone."""
    return settings.telemetry_address.startswith(EMBEDDED) or settings.records_address.startswith(EMBEDDED)


def split_of(settings: Settings) -> Split:
    """How the topics of the conventions are divided among ingestors."""
    understood = spoken(settings)
    shared = [one for convention in understood for one in convention.shareable]
    alone = [one for convention in understood for one in convention.filters if one not in shared]
    return Split(settings.client_id, tuple(shared), tuple(alone))


def build_ingestor(platform: Platform) -> Runner | Sessions:
    """The ingestor: one session where there can be no other, else those it gets leases for."""
    split = split_of(platform.settings)
    if is_embedded(platform.settings) or platform.settings.broker.startswith("local://"):
        return build_runner(platform)
    return Sessions(
        split,
        lambda plan: build_runner(platform, plan),
        platform.database,
        platform.clock,
        platform.ledger,
        platform.holder,
        lambda: sessions_with_a_spool(platform.settings.data_dir),
    )


def build_runner(platform: Platform, plan: Plan | None = None) -> Runner:
    """One session of the ingestor: subscriber, decoder with its saved states, and the limits of the settings.

    Without a plan it is the one session that hears everything.
    """
    settings = platform.settings
    plan = plan or split_of(settings).undivided()
    understood = spoken(settings)
    subscriber = open_subscriber(
        settings.broker,
        client_id=plan.client_id,
        filters=plan.filters,
        session_expiry_s=settings.session_expiry_s,
        receive_maximum=settings.receive_maximum,
        clock=platform.clock,
        leaving=plan.leaving,
    )
    with platform.database.reading() as connection:
        states = decoder_states.load(connection)
    limits = limits_of(settings)
    return _with_spool(
        settings,
        plan.client_id,
        lambda spool: Runner(
            subscriber,
            SharedDecoder(understood, states) if plan.shared else Decoder(understood, states),
            platform.store,
            platform.database,
            platform.clock,
            limits,
            platform.ledger,
            name=plan.client_id,
            spool=spool,
        ),
    )


def _with_spool(settings: Settings, client_id: str, make: Callable[[Spool | None], Runner]) -> Runner:
    """A runner with the spool of its session, in `data_dir`; with none where it is turned off, or nothing outlasts this process."""
    if not settings.spool_max_bytes or settings.broker.startswith("local://"):
        return make(None)
    spool = Spool(folder_of(settings.data_dir, client_id), spool_bounds(settings))
    try:
        return make(spool)
    except BaseException:
        spool.close()
        raise


def spool_bounds(settings: Settings) -> SpoolBounds:
    """When a spool is full, or too old."""
    return SpoolBounds(
        max_bytes=settings.spool_max_bytes,
        max_age=timedelta(seconds=settings.spool_max_age_s),
        free_share=settings.spool_free_share,
        free_bytes=settings.spool_free_bytes,
    )


def build_publisher(settings: Settings) -> Publisher:
    """The connection that commands to devices leave by; several processes may have one."""
    return open_publisher(settings.broker, client_id=f"{COMMAND_CLIENT}-{secrets.token_hex(4)}")


def build_channels(platform: Platform, publisher: Publisher) -> Mapping[str, Channel]:
    """Every way out of the house, by the name the outbox uses."""
    from alerts.channels.command import CommandChannel
    from alerts.channels.mailbox import MailboxChannel
    from alerts.rollouts.channel import RolloutChannel
    from alerts.rollouts.services import open_service

    settings = platform.settings
    channels: tuple[Channel, ...] = (
        MailboxChannel(platform.database, platform.clock),
        *letter_channels(settings, platform.clock),
        CommandChannel(publisher),
        RolloutChannel(open_service(settings.rollout_service.get_secret_value()), platform.database, platform.clock),
        *_webhook(settings, platform.clock),
        *event_channels(settings, platform.clock),
    )
    return {channel.name: channel for channel in channels}


def build_desk(platform: Platform) -> ServiceDesk | None:
    """The service desk beside us, where one is configured. Raises `Invalid` for an address that nothing serves."""
    from alerts.mirrors.desks import open_desk

    settings = platform.settings
    secret = settings.service_desk_secret.get_secret_value()
    return open_desk(settings.service_desk.get_secret_value(), secret, platform.clock)


def _webhook(settings: Settings, clock: Clock) -> tuple[Channel, ...]:
    """The channel of decisions about roll-outs, where one is configured. Raises `Invalid` without a secret to sign them with."""
    from alerts.rollouts.webhook import decisions_webhook

    url = settings.rollout_webhook.get_secret_value()
    return (decisions_webhook(url, settings.rollout_webhook_secret.get_secret_value(), clock),) if url else ()


def build_api(platform: Platform, health: Mapping[str, object]) -> FastAPI:
    """The API and the pages."""
    from api.app import create_app

    app = create_app(_context(platform, health))
    app.add_middleware(RequestMetrics, registry=platform.registry)
    return app


def build_health(platform: Platform, health: Mapping[str, object]) -> FastAPI:
    """What a process without the API says of itself: whether it is alive and ready, and its metrics."""
    from api.routes.system import create_health_app

    return create_health_app(_context(platform, health))


def _context(platform: Platform, health: Mapping[str, object]) -> ApiContext:
    from hearthwatch.run.replaying import replay_held

    return ApiContext(
        database=platform.database,
        store=platform.store,
        clock=platform.clock,
        settings=platform.settings,
        registry=platform.registry,
        secret_key=platform.secret_key,
        health=health,
        backup=lambda actor: _backup(platform, actor),
        replay=lambda: replay_held(platform.settings, platform.store, platform.database, platform.clock.now()),
    )


def _backup(platform: Platform, actor: str) -> Mapping[str, Any]:
    from hearthwatch.run.backup import backup_of_running  # it brings along what copies every store

    return backup_of_running(platform.settings, platform.database, platform.store, platform.clock.now(), actor)


def secret_key(settings: Settings, role: str = "all") -> str:
    """The key that signs sessions and links: the configured one, else one made at first start, readable by us alone.

    Processes with the role ``api`` must all have the same one: raises `Invalid` where none is configured, for one that is too short, and
    for a file that holds none.
    Raises `Unavailable` where the file can not be made or read. The other roles sign nothing.
    """
    configured = settings.secret_key.get_secret_value()
    if configured and len(configured) < SHORTEST_KEY:
        says = f"has {len(configured)} characters, which can be guessed; at least {SHORTEST_KEY} (make one with: openssl rand -hex 32)"
        raise Invalid(says, where="secret_key")
    if configured:
        return configured
    if role == "api":
        raise Invalid(
            "with --role api it must be set, to the same value for every such process: it signs sessions and customers' links"
            " (make one with: openssl rand -hex 32)",
            where="secret_key",
        )
    if role == "jobs" and settings.inbound_mailbox.get_secret_value():
        raise Invalid(
            "with an inbound_mailbox it must be set for --role jobs, too, to the same value as for --role api: it signs what answers name",
            where="secret_key",
        )
    if role != "all":
        return secrets.token_urlsafe(48)
    path = Path(settings.data_dir) / "secret.key"
    with told_plainly(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with whole_file(path) as file:
                file.write(secrets.token_urlsafe(48).encode())
        key = path.read_text().strip()
    if len(key) < SHORTEST_KEY:
        says = "is too short to sign anything: restore it from a backup, or delete it (all sessions and customers' links then end)"
        raise Invalid(says, where=str(path))
    return key
