"""The ledger and what Prometheus sees of it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from ingest.ledger import Ledger, Outcome


def shown(ledger: Ledger) -> dict[str, float]:
    registry = CollectorRegistry()
    ledger.register(registry)
    lines = generate_latest(registry).decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_an_empty_ledger_has_every_name() -> None:
    ledger = Ledger()
    names = {"received", "stored", "duplicate", "quarantined", "ignored", "spooled", "in_flight"}
    assert ledger.snapshot() == dict.fromkeys(names, 0)


def test_what_is_decoded_is_in_flight_until_it_is_settled() -> None:
    ledger = Ledger()
    ledger.batch_decoded(3, 10)
    assert ledger.snapshot()["in_flight"] == 10
    ledger.batch_settled(3, Outcome(stored=5, duplicate=2, quarantined=2, ignored=1), 0.1)
    counts = ledger.snapshot()
    assert counts == {
        "received": 10, "stored": 5, "duplicate": 2, "quarantined": 2, "ignored": 1, "spooled": 0, "in_flight": 0,
    }  # fmt: skip


def test_prometheus_sees_samples_messages_connections_and_times() -> None:
    now = [100.0]
    ledger = Ledger(lambda: now[0])
    ledger.connected(session_present=False)
    ledger.connected(session_present=True)
    ledger.messages_came(4)
    ledger.messages_returned(1)
    ledger.batch_decoded(3, 10)
    ledger.stored_in(0.02)
    ledger.must_retry()
    ledger.batch_settled(3, Outcome(stored=9, ignored=1), 0.3)
    now[0] = 107.0
    seen = shown(ledger)
    assert seen["hearthwatch_ingest_samples_received_total"] == 10
    assert seen['hearthwatch_ingest_samples_total{outcome="stored"}'] == 9
    assert seen["hearthwatch_ingest_samples_spooled"] == 0
    assert seen["hearthwatch_ingest_samples_in_flight"] == 0
    assert seen['hearthwatch_ingest_messages_total{state="received"}'] == 4
    assert seen['hearthwatch_ingest_messages_total{state="acknowledged"}'] == 3
    assert seen['hearthwatch_ingest_messages_total{state="returned"}'] == 1
    assert seen['hearthwatch_ingest_connections_total{session="absent"}'] == 1
    assert seen["hearthwatch_ingest_store_retries_total"] == 1
    assert seen["hearthwatch_ingest_last_message_age_seconds"] == 7
    assert seen["hearthwatch_ingest_last_commit_age_seconds"] == 7
    assert seen['hearthwatch_ingest_batch_messages_bucket{le="5.0"}'] == 1
    assert seen["hearthwatch_ingest_store_seconds_sum"] == 0.02
    assert seen["hearthwatch_ingest_acknowledge_seconds_count"] == 1


def test_before_anything_came_the_age_counts_from_the_start() -> None:
    now = [100.0]
    ledger = Ledger(lambda: now[0])
    now[0] = 130.0
    assert ledger.ages() == {"last_message": None, "last_commit": None}
    assert shown(ledger)["hearthwatch_ingest_last_commit_age_seconds"] == 30
