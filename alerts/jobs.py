"""The jobs of this stage, as the schedule calls them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts import commands, delivery, following, rounds
from alerts.campaigns import sending as campaigns
from alerts.customers import installs
from alerts.delivery.events import Endpoint, announce
from alerts.delivery.patience import Patience
from alerts.notices.issue import Mail
from alerts.notices.wording import Brand
from alerts.policy.cases import Survey
from alerts.policy.file import Policy, default_text, parse
from alerts.policy.survey import STANDING, survey
from hearthwatch.ports import Channel
from hearthwatch.records import policies, policy_decisions
from hearthwatch.records.database import Database


def apply_policy(
    database: Database, now: datetime, *, brand: Brand, public_url: str, link_life: timedelta
) -> Mapping[str, int]:
    """Do what the policy says about the findings that stand. Returns counts of what was done, nothing where nothing was.

    First it only reads; the writer's turn is taken when there is something to do, and what is to be done is then looked at again. The
    first round of a policy version has all its reasons to write, so that it is looked once, in the writer's turn.
    """
    with database.reading() as connection:
        seen = policies.current(connection)
        if seen is None:
            return {}
        first = policy_decisions.none_yet(connection, seen.version, STANDING)
        subjects = None if first else _concerned(survey(connection, seen, now))
    if not first and subjects is None:
        return {}
    mail = Mail(brand, public_url, link_life)
    with database.transaction() as connection:
        version = policies.current(connection)
        if version is None:
            return {}
        again = survey(connection, version, now, subjects if version == seen else None)
        return {} if again.idle else dict(rounds.carry_out(connection, again, version, mail, now))


def _concerned(found: Survey) -> frozenset[str] | None:
    """Whom a survey found something to do about; None where there is nothing."""
    return None if found.idle else found.subjects


def follow_up(
    database: Database, now: datetime, *, brand: Brand, public_url: str, link_life: timedelta
) -> Mapping[str, int]:
    """Do what time brings: close what is over, tell customers of their ticket, remind them. Returns counts."""
    mail = Mail(brand, public_url, link_life)
    with database.reading() as connection:
        version = policies.current(connection)
        if version is None or not following.look(connection, version, now):
            return {}
    with database.transaction() as connection:
        return dict(following.carry_out(connection, version, mail, now))


def run_campaigns(
    database: Database, now: datetime, *, brand: Brand, public_url: str, link_life: timedelta
) -> Mapping[str, int]:
    """Send what running recalls and security notices ask for, whatever the policy's mode: two people have approved them. Returns counts."""
    mail = Mail(brand, public_url, link_life)
    with database.reading() as connection:
        policy, number = _terms(connection)
        todos = campaigns.due(connection, policy, mail, now)
    done: Counter[str] = Counter()
    for part in campaigns.parts(todos):
        with database.transaction() as connection:
            done.update(campaigns.carry_out(connection, [part], policy, mail, policy_version=number, now=now))
    return {what: count for what, count in done.items() if count}


def _terms(connection: Connection) -> tuple[Policy, int]:
    """The policy in force and its version; the one that comes with Hearthwatch where there is none."""
    version = policies.current(connection)
    return (parse(version.text), version.version) if version else (parse(default_text()), 0)


def tend_commands(database: Database, now: datetime, *, ask_devices: bool) -> Mapping[str, int]:
    """End commands that waited too long, let leave what may, and follow the updates that owners accepted."""
    done = commands.tend(database, now, ask_devices=ask_devices)
    followed = installs.tend(database, now)
    return {**done, **{f"updates_{state}": count for state, count in followed.items()}}


def deliver(
    database: Database,
    channels: Mapping[str, Channel],
    now: datetime,
    *,
    worker: str,
    patience: Patience | None = None,
    endpoints: Sequence[Endpoint] = (),
) -> Mapping[str, int]:
    """Tell the maker's own systems what happened, and send what the outbox holds."""
    announce(database, endpoints, now)
    return delivery.deliver(database, channels, now, worker=worker, patience=patience)
