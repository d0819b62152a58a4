"""Hours at half load: ``make soak HOURS=24`` (or ``MINUTES=20``). Memory, open files and lag must not grow, and nothing be lost.

A real Mosquitto, the ingestor as a process, numbered messages. Every ten seconds it is looked at: memory (RSS), open files, time from a
message's publication to its commit, messages that wait. Without ``--rate`` the limit of publisher, broker and ingestor together on this
machine is measured first, and half of it is sent.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hearthwatch.errors import Unavailable
from hearthwatch.run.bench import servers
from hearthwatch.telemetry import open_store
from tests.faults.ingest_child import Child, ledger_closes
from tests.faults.numbered import Found, Load, check
from tests.faults.places import telemetry_store
from tests.faults.trend import Trend, trend

EVERY_S = 10.0
WARM_UP_SHARE, LONGEST_WARM_UP_S = 0.5, 3600.0
"""Left out of the trends: the memory that the first checkpoints take stays, and is no leak."""
MOST_MB_PER_HOUR = 1.0
STORE_LIMIT_MB = 768 * 1e6 / 2**20
MOST_LAG_GROWTH_S = 0.5
LIMIT_MESSAGES = 50_000
QUIET_S = 600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """How the ingestor was at one moment; lags are of the messages stored since the moment before."""

    hours: float
    rss_mb: float
    store_mb: float | None
    open_files: int
    waiting: int
    sent: int
    lag_median_s: float | None
    lag_longest_s: float | None


@dataclass(frozen=True, slots=True)
class Criterion:
    """Something that must be so. ``decided`` is false where the run was too short to tell: then it did not fail, and did not hold."""

    name: str
    holds: bool
    says: str
    decided: bool = True


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The whole run; returns what it found."""
    with (
        servers.mosquitto(folder / "broker") as broker,
        telemetry_store(arguments.store, folder / "store") as telemetry,
    ):
        rate = arguments.rate or 0.5 * _limit(broker.address, folder)
        print(f"{rate:,.0f} messages/s for {arguments.minutes:g} minutes, {arguments.store}", flush=True)
        options = {"data_dir": str(folder / "soak"), "telemetry": telemetry, "broker": broker.address}
        child = Child({**options, "conventions": ["native"]}, every_s=EVERY_S / 2, log=folder / "ingestor.log")
        load = Load(broker.address)
        try:
            child.wait_for("it is connected", lambda said: bool(said["connected"]))
            began = time.monotonic()
            load.start(rate)
            samples = list(_sampled(child, load, began, arguments.minutes * 60, folder / "samples.jsonl"))
            load.stop()
            seconds = time.monotonic() - began
            child.wait_until_quiet(QUIET_S)
            most_mb = child.most_memory_mb()
            code = child.end()
        finally:
            if child.alive:
                child.kill()
            load.close()
        store = open_store(telemetry)
        found = check(store, load)
        store.close()
    criteria = [*_nothing_lost(found, child.said, code), *nothing_grows(samples)]
    return _answer(arguments, rate, seconds, samples, found, most_mb, child.said, criteria)


def _limit(broker: str, folder: Path) -> float:
    """Messages a second that publisher, broker and ingestor move together here."""
    options = {"data_dir": str(folder / "limit"), "broker": broker, "conventions": ["native"], "client_id": "limit"}
    child, load = Child(options, log=folder / "limit.log"), Load(broker)
    try:
        child.wait_for("it is connected", lambda said: bool(said["connected"]))
        began = time.monotonic()
        load.send(LIMIT_MESSAGES)
        child.wait_until_handled(LIMIT_MESSAGES)
        found = LIMIT_MESSAGES / (time.monotonic() - began)
    finally:
        load.close()
        child.kill()
    print(f"this machine moves {found:,.0f} messages/s; half of that is sent", flush=True)
    return found


def _sampled(child: Child, load: Load, began: float, seconds: float, file: Path) -> Iterator[Sample]:
    pause = threading.Event()
    with file.open("w") as lines:
        for number in range(1, int(seconds / EVERY_S) + 1):
            pause.wait(max(0.0, began + number * EVERY_S - time.monotonic()))
            if not child.alive:
                raise Unavailable("the ingestor ended by itself; see ingestor.log", where="soak")
            said = child.said
            sample = Sample(
                (time.monotonic() - began) / 3600,
                round(child.memory_mb(), 2),
                said["store_mb"],
                child.open_files(),
                said["waiting_messages"],
                load.sent,
                said["lag_median_s"],
                said["lag_longest_s"],
            )
            lines.write(json.dumps(asdict(sample)) + "\n")
            lines.flush()
            if number % 6 == 0:
                print(f"  {sample.hours * 60:6.1f} min: {sample.rss_mb:.0f} MB, {sample.open_files} files, lag {sample.lag_median_s} s,"
                      f" {sample.waiting} wait, {sample.sent:,} sent", flush=True)  # fmt: skip
            yield sample


def _nothing_lost(found: Found, said: Mapping[str, Any], code: int) -> list[Criterion]:
    counts = said["samples"]
    return [
        Criterion("nothing is missing", found.missing == 0, f"{found.missing} of {found.sent:,} are missing"),
        Criterion("nothing is stored twice", found.twice == 0, f"{found.twice} are stored twice"),
        Criterion("the ledger closes", ledger_closes(said), json.dumps(counts)),
        Criterion("nothing was held back", counts["quarantined"] == 0, f"{counts['quarantined']} are in quarantine"),
        Criterion("it ends when told", code == 0, f"exit code {code}"),
    ]


def nothing_grows(samples: Sequence[Sample]) -> list[Criterion]:
    """What must hold of memory, open files and lag, after the warm-up."""
    whole = samples[-1].hours
    warm = min(WARM_UP_SHARE * whole, LONGEST_WARM_UP_S / 3600)
    steady = [one for one in samples if one.hours >= warm]
    lags = [one for one in steady if one.lag_median_s is not None]
    memory = trend([one.hours for one in steady], [one.rss_mb - (one.store_mb or 0.0) for one in steady])
    lag = trend([one.hours for one in lags], [one.lag_median_s or 0.0 for one in lags])
    return [
        _memory(memory),
        _kept_of_the_file(samples),
        _files(steady),
        _lag(lag, whole - warm),
    ]


def _memory(found: Trend | None) -> Criterion:
    name = f"memory beside DuckDB's grows by less than {MOST_MB_PER_HOUR:g} MB/h"
    if found is None:
        return Criterion(name, holds=True, says="too few samples", decided=False)
    decided = found.low > MOST_MB_PER_HOUR or found.high < MOST_MB_PER_HOUR
    return Criterion(name, found.low <= MOST_MB_PER_HOUR, _told(found, "MB/h"), decided)


def _kept_of_the_file(samples: Sequence[Sample]) -> Criterion:
    """DuckDB keeps pages of its file in memory, more as the file grows, up to its own limit; then it lets the oldest go."""
    most = max((one.store_mb or 0.0 for one in samples), default=0.0)
    return Criterion(
        "DuckDB's memory keeps to its limit", most <= STORE_LIMIT_MB, f"{most:.0f} of {STORE_LIMIT_MB:.0f} MB"
    )


def _files(steady: Sequence[Sample]) -> Criterion:
    """The second half needs no more than the first did at its highest."""
    half = len(steady) // 2
    before = max((one.open_files for one in steady[:half]), default=0)
    after = max((one.open_files for one in steady[half:]), default=0)
    return Criterion("open files are constant", after <= before, f"at most {before}, then {after}", decided=half > 0)


def _lag(found: Trend | None, hours: float) -> Criterion:
    name = f"the lag grows by less than {MOST_LAG_GROWTH_S:g} s over the run"
    if found is None:
        return Criterion(name, holds=True, says="too few samples", decided=False)
    decided = found.low * hours > MOST_LAG_GROWTH_S or found.high * hours < MOST_LAG_GROWTH_S
    return Criterion(name, found.low * hours <= MOST_LAG_GROWTH_S, _told(found, "s/h"), decided)


def _told(found: Trend, unit: str) -> str:
    return f"{found.per_hour:+.2f} {unit} (95 % between {found.low:+.2f} and {found.high:+.2f})"


def _answer(
    arguments: argparse.Namespace,
    rate: float,
    seconds: float,
    samples: Sequence[Sample],
    found: Found,
    most_mb: float,
    said: Mapping[str, Any],
    criteria: Sequence[Criterion],
) -> dict[str, Any]:
    lags = sorted(one.lag_median_s for one in samples if one.lag_median_s is not None)
    longest = [one.lag_longest_s for one in samples if one.lag_longest_s is not None]
    return {
        "passed": all(one.holds for one in criteria),
        "store": arguments.store,
        "seconds": round(seconds, 1),
        "rate_asked": round(rate),
        "rate_sent": round(found.sent / seconds),
        **asdict(found),
        "rss_mb": {"first": samples[0].rss_mb, "last": samples[-1].rss_mb, "most": round(most_mb, 1)},
        "store_mb": {"first": samples[0].store_mb, "last": samples[-1].store_mb},
        "open_files": {"least": min(one.open_files for one in samples), "most": max(one.open_files for one in samples)},
        "lag_s": {"median": lags[len(lags) // 2] if lags else None, "longest": max(longest, default=None)},
        "most_waiting": max(one.waiting for one in samples),
        "samples": dict(said["samples"]),
        "criteria": [asdict(one) for one in criteria],
    }


def _print(answer: Mapping[str, Any]) -> None:
    memory, files, lag = answer["rss_mb"], answer["open_files"], answer["lag_s"]
    print(
        f"\n{answer['sent']:,} messages in {answer['seconds'] / 60:.1f} minutes ({answer['rate_sent']:,}/s), {answer['store']}"
    )
    print(
        f"  memory     {memory['first']:.0f} MB at first, {memory['last']:.0f} MB at last, {memory['most']:.0f} MB at most"
    )
    if answer["store_mb"]["last"] is not None:
        print(
            f"             of it DuckDB {answer['store_mb']['first']:.0f} MB at first, {answer['store_mb']['last']:.0f} MB at last"
        )
    print(f"  open files {files['least']} to {files['most']}")
    print(
        f"  lag        {lag['median']} s in the middle, {lag['longest']} s at most; {answer['most_waiting']} messages waited at most"
    )
    for one in answer["criteria"]:
        word = (
            "FAILED" if not one["holds"] else "holds" if one["decided"] else "no growth found; too short to exclude it"
        )
        print(f"  {one['name']}: {word}: {one['says']}")


def main(given: Sequence[str] | None = None) -> int:
    """Run; 0 when every criterion holds, 1 when one fails, 3 where a server is missing."""
    parser = argparse.ArgumentParser(prog="make soak", description="The ingestor at half load for hours.")
    parser.add_argument("--minutes", type=float, default=24 * 60.0)
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second; 0: half of what this machine moves")
    parser.add_argument("--store", choices=["duckdb", "influxdb"], default="duckdb")
    parser.add_argument(
        "--out", type=Path, default=Path("var/soak.json"), help="where the result goes, with the samples beside it"
    )
    arguments = parser.parse_args(given)
    folder = Path(tempfile.mkdtemp(prefix="hearthwatch-soak-"))
    try:
        answer = run(arguments, folder)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(answer, indent=2) + "\n")
        shutil.copy(folder / "samples.jsonl", arguments.out.with_suffix(".samples.jsonl"))
    except Unavailable as away:
        print(f"{away}; its logs are in {folder}", file=sys.stderr)
        return 3
    shutil.rmtree(folder)
    _print(answer)
    print(f"written to {arguments.out}")
    return 0 if answer["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
