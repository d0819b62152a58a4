"""Policies as people use them: the one of the file, new versions, and which one is live."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from alerts.policy.file import Policy, Rule, default_text, digest, parse
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import audit, policies
from hearthwatch.records.policies import PolicyVersion

__all__ = ["Policy", "Rule", "add_policy", "ensure_policy", "parse", "set_mode"]

MODES = ("observe", "live", "retired")
SETTINGS = "settings"


def ensure_policy(connection: Connection, policy_file: Path | None, now: datetime) -> PolicyVersion:
    """See that the policy of the file (None: the one that comes with Hearthwatch) is a known version.

    A text not seen before becomes a version that observes; the live one stays live until a person sets another. Raises `Invalid`.
    """
    text = _read(policy_file) if policy_file is not None else default_text()
    return add_policy(connection, text, SETTINGS, now)


def add_policy(connection: Connection, text: str, actor: str, now: datetime) -> PolicyVersion:
    """Keep a policy as a new version that observes; a known text stays the version it is. Raises `Invalid`, naming the key."""
    policy = parse(text)
    known = {one.digest for one in policies.list_versions(connection)}
    added = policies.add(connection, name=policy.name, text=text, digest=digest(text), actor=actor, now=now)
    if added.digest not in known:
        audit.note(connection, at=now, actor=actor, action="policy.add", object=f"policy:{added.version}", detail={})
    return added


def set_mode(connection: Connection, version: int, mode: str, actor: str, now: datetime) -> PolicyVersion:
    """Let a version observe, set it live (the live one before it is retired) or retire it; audited.

    Raises `Missing`, `Invalid` for a mode that does not exist, or `Conflict` where it is in that mode already.
    """
    if mode not in MODES:
        raise Invalid(f"a policy can {', '.join(MODES)}, not {mode!r}", where="mode")
    before = policies.get(connection, version)
    if before.mode == mode:
        raise Conflict(f"policy {version} is in mode {mode} already")
    after = policies.set_mode(connection, version, mode, actor, now)
    audit.note(
        connection,
        at=now,
        actor=actor,
        action=f"policy.{mode}",
        object=f"policy:{version}",
        detail={"before": before.mode},
    )
    return after


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"cannot read the policy: {error}", where=str(path)) from None
