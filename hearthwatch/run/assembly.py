"""Builds the platform from its settings: the only place where addresses become adapters."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from alerts.channels.apprise_channel import AppriseChannel
from alerts.channels.command import CommandChannel
from alerts.channels.mailbox import MailboxChannel
from alerts.policy import ensure_policy
from api.app import ApiContext, create_app
from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import Channel, Clock, Publisher, TelemetryStore
from hearthwatch.records.database import Database, open_database
from hearthwatch.settings import Settings
from hearthwatch.telemetry import open_store
from hearthwatch.wire.registry import Decoder, conventions
from ingest.ledger import Ledger
from ingest.runner import Limits, Runner

COMMAND_CLIENT = "hearthwatch-commands"


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything that runs, built once. ``holder`` names this process in leases and claims."""

    settings: Settings
    clock: Clock
    store: TelemetryStore
    database: Database
    secret_key: str
    holder: str
    ledger: Ledger = field(default_factory=Ledger)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def close(self) -> None:
        """Release the stores."""
        self.store.close()
        self.database.close()


def open_platform(settings: Settings, clock: Clock) -> Platform:
    """Open both stores, bring the schema up to date, see that a policy exists. Raises `Unavailable` or `Invalid`."""
    check_roles(settings, "all")
    database = open_database(settings.records_address)
    database.upgrade()
    store = open_store(settings.telemetry_address)
    platform = Platform(
        settings=settings,
        clock=clock,
        store=store,
        database=database,
        secret_key=secret_key(settings),
        holder=f"{socket.gethostname()}:{os.getpid()}",
    )
    platform.ledger.register(platform.registry)
    ProcessCollector(registry=platform.registry)
    PlatformCollector(registry=platform.registry)
    with database.transaction() as connection:
        ensure_policy(connection, settings.policy_file, clock.now())
    return platform


def open_records(settings: Settings) -> Database:
    """The records alone, for commands that need nothing else. Raises `Unavailable` when the schema is not current."""
    database = open_database(settings.records_address)
    if not database.schema_is_current():
        database.close()
        raise Unavailable("the schema is not current; run: hearthwatch db upgrade", where="records")
    return database


def check_roles(settings: Settings, role: str) -> None:
    """Raise `Invalid` where a role of its own is asked of stores that belong to one process."""
    embedded = settings.telemetry_address.startswith("duckdb:") or settings.records_address.startswith("sqlite:")
    if role != "all" and embedded:
        raise Invalid(
            "the embedded stores belong to one process; use --role all, or servers for both stores", where="role"
        )


def build_runner(platform: Platform) -> Runner:
    """The ingestor: subscriber, decoder with its saved states, and the limits of the settings."""
    settings = platform.settings
    spoken = conventions(settings.conventions)
    subscriber = open_subscriber(
        settings.broker,
        client_id=settings.client_id,
        filters=[topic for convention in spoken for topic in convention.filters],
        session_expiry_s=settings.session_expiry_s,
        receive_maximum=settings.receive_maximum,
        clock=platform.clock,
    )
    from hearthwatch.records import decoder_states

    with platform.database.reading() as connection:
        decoder = Decoder(spoken, decoder_states.load(connection))
    limits = Limits(
        batch_messages=settings.batch_messages,
        batch_bytes=settings.batch_bytes,
        batch_seconds=settings.batch_seconds,
        receive_maximum=settings.receive_maximum,
        max_payload_bytes=settings.max_payload_bytes,
        metric_budget=settings.metric_budget,
        clock_skew_s=settings.clock_skew_s,
        raw_days=settings.raw_days,
    )
    return Runner(
        subscriber,
        decoder,
        platform.store,
        platform.database,
        platform.clock,
        limits,
        platform.ledger,
        name=settings.client_id,
    )


def build_publisher(settings: Settings) -> Publisher:
    """The connection that commands to devices leave by."""
    return open_publisher(settings.broker, client_id=COMMAND_CLIENT)


def build_channels(platform: Platform, publisher: Publisher) -> Mapping[str, Channel]:
    """Every way out of the house, by the name the outbox uses."""
    channels: tuple[Channel, ...] = (
        MailboxChannel(platform.database, platform.clock),
        AppriseChannel(mail_through=platform.settings.mail_server.get_secret_value()),
        CommandChannel(publisher),
    )
    return {channel.name: channel for channel in channels}


def build_api(platform: Platform, health: Mapping[str, object]) -> FastAPI:
    """The API and the pages."""
    return create_app(
        ApiContext(
            database=platform.database,
            store=platform.store,
            clock=platform.clock,
            settings=platform.settings,
            registry=platform.registry,
            secret_key=platform.secret_key,
            health=health,
        )
    )


def secret_key(settings: Settings) -> str:
    """The key that signs sessions and links: the configured one, else one made at first start, readable by us alone."""
    configured = settings.secret_key.get_secret_value()
    if configured:
        return configured
    path = Path(settings.data_dir) / "secret.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
    return path.read_text().strip()
