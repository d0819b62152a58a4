"""Whether a model needs to be trained again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from analytics.artifacts import load
from analytics.training.names import FAMILY
from hearthwatch.errors import Invalid
from hearthwatch.records import model_decisions, model_versions
from hearthwatch.records.model_versions import ModelVersion

MORE_FAILURES = 1.1
STALE = timedelta(days=60)
BY_TESTS = frozenset({"race", "watch"})


def is_usable(version: ModelVersion) -> bool:
    """Whether the stored model of a hazard can be read here."""
    if not version.name.startswith(FAMILY):
        return True
    try:
        load(version)
    except Invalid:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Freshness:
    """The newest version of each name, the names of which a version works that can be used, and versions that failed a test."""

    newest: dict[str, ModelVersion]
    working: frozenset[str]
    failed_a_test: frozenset[int]
    now: datetime

    @staticmethod
    def read(connection: Connection, now: datetime) -> Freshness:
        """As the records know it."""
        newest: dict[str, ModelVersion] = {}
        versions = model_versions.list_versions(connection)
        for version in versions:
            newest.setdefault(version.name, version)
        judged = frozenset(
            one.version_id
            for one in model_decisions.list_decisions(connection)
            if one.what in {"retired", "demoted"} and one.by in BY_TESTS
        )
        working = frozenset(one.name for one in model_versions.champions(connection) if is_usable(one))
        return Freshness(newest, working, judged, now)

    def is_fresh(self, name: str, failures: int) -> bool:
        """Whether there is nothing to gain from training again: the last model still races, or it is young and hardly more failures
        are known. That holds for one that failed a test, too: the same failures would only give the same model again."""
        newest = self.newest.get(name)
        if newest is not None and newest.role == "champion" and name not in self.working:
            return False  # stored by another version: it says nothing any more
        if newest is None or (newest.role == "retired" and newest.id not in self.failed_a_test):
            return False
        if newest.role == "challenger" and name in self.working:
            return True
        if self.now - newest.trained_at > STALE:
            return False
        return failures <= MORE_FAILURES * float(newest.card.get("failures", 0)) + 1
