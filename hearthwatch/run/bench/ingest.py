"""``hearthwatch bench ingest``: how fast messages become durable here, beside the broker's own limit and what others would do.

All contestants read the same messages from a Mosquitto of their own, one after the other, round by round, so that a machine that is slow
for a minute is slow for all. A message counts when it is stored and acknowledged; for the broker's limit, when `mosquitto_sub` has it.
"""

from __future__ import annotations

import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hearthwatch.errors import Unavailable
from hearthwatch.run.bench import contestants, publisher, servers
from hearthwatch.run.bench.contestants import Place, Run
from hearthwatch.settings import Settings

LIMIT, DUCKDB, INFLUXDB, STOCK, TUTORIAL, TELEGRAF = (
    "mosquitto_sub",
    "hearthwatch duckdb",
    "hearthwatch influxdb",
    "hearthwatch duckdb, stock paho",
    "tutorial influxdb",
    "telegraf influxdb",
)
TUTORIAL_SHARE = 20
"""The tutorial's code gets so many times fewer messages, or a round would take minutes."""
REPLAY = "replay, 10 samples"
ANSWER_S = 900.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    messages: int = 60_000
    rounds: int = 3
    latency_seconds: float = 10.0
    influxdb: bool = True


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: messages a second, and what the contestant itself took of the processors for each."""

    rate: float
    cpu_us: float
    rss_mb: float | None
    missing: int


def run_ingest(options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure everything. Raises `Unavailable` where Mosquitto or its clients are missing."""
    subscriber = servers.find_subscriber()
    if subscriber is None:
        raise Unavailable("mosquitto_sub is not installed (make services installs it)", where="bench")
    began = time.perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="hearthwatch-bench-"))
    try:
        with ExitStack() as stack:
            program = servers.find_influxd() if options.influxdb else None
            server = stack.enter_context(servers.influxd(program, folder / "influxd")) if program else None
            bench = Bench(folder, subscriber, server, say)
            found = {samples: bench.interleaved(options, samples) for samples in (1, 10)}
            replayed = [bench.replayed(options.messages // 2) for _ in range(options.rounds)]
            limit = _median(found[1][LIMIT]).rate
            latencies = {f"{share:.0%}": bench.latency(limit * share, options.latency_seconds) for share in (0.3, 0.6)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _answer(found, replayed, latencies, time.perf_counter() - began)


class Bench:
    """Runs contestants one after the other, each on a broker and in a folder of its own."""

    def __init__(
        self, folder: Path, subscriber: str, server: servers.Influxd | None, say: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._subscriber = subscriber
        self._server = server
        self._say = say
        self._runs = 0

    def interleaved(self, options: Options, samples: int) -> dict[str, list[Measured]]:
        """Every contestant, round by round."""
        found: dict[str, list[Measured]] = {name: [] for name in self._names()}
        count = options.messages if samples == 1 else options.messages // 3
        for number in range(options.rounds):
            for name, measured in found.items():
                some = count // TUTORIAL_SHARE if name == TUTORIAL else count
                measured.append(self._one(name, some, samples))
                last = measured[-1]
                self._say(
                    f"  round {number + 1}, {samples:>2} samples: {name:<32} {last.rate:>8,.0f} messages/s {last.cpu_us:>6.1f} us"
                )
        return found

    def replayed(self, count: int) -> Measured:
        """Ours on DuckDB from a socket with no broker behind it, ten samples a message."""
        folder = self._fresh_folder()
        with _process(publisher.replay, count, 10) as load:
            port = _heard(load)
            place = Place(folder, f"mqtt://127.0.0.1:{port}", f"duckdb:///{folder / 'telemetry.duckdb'}")
            with _process(contestants.hearthwatch, place) as ours:
                _heard(ours)
                _heard(load)
                ours.send(count)
                load.send("go")
                load.send(Settings.model_fields["receive_maximum"].default)
                began, run = _heard(load), _heard(ours)
                load.send("done")
        measured = _measured(run, began, count, 10)
        self._say(f"  {REPLAY}: {measured.rate * 10:,.0f} rows/s")
        return measured

    def latency(self, rate: float, seconds: float) -> dict[str, float | None]:
        """Milliseconds from a message's publication to its commit in DuckDB, at a rate."""
        folder = self._fresh_folder()
        with servers.mosquitto(folder / "broker") as broker:
            place = Place(folder, broker.address, f"duckdb:///{folder / 'telemetry.duckdb'}")
            with (
                _process(contestants.hearthwatch, place, watched=True) as ours,
                _process(publisher.publish_paced, broker.port, rate, seconds) as load,
            ):
                _heard(ours)
                _heard(load)
                load.send("go")
                _, sent = _heard(load)
                ours.send(sent)
                run: Run = _heard(ours)
        cuts = statistics.quantiles(run.latencies_ms, n=100)
        self._say(f"  {rate:,.0f} messages/s: p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms")
        return {
            "rate": rate,
            "p50_ms": cuts[49],
            "p99_ms": cuts[98],
            "rss_mb": run.rss_mb,
            "missing": sent - run.stored,
        }

    def _names(self) -> list[str]:
        names = [LIMIT, DUCKDB, STOCK]
        if self._server is not None:
            names += [INFLUXDB, TUTORIAL]
            if shutil.which("telegraf"):
                names.append(TELEGRAF)
        return names

    def _one(self, name: str, count: int, samples: int) -> Measured:
        folder = self._fresh_folder()
        with (
            servers.mosquitto(folder / "broker") as broker,
            _process(publisher.publish, broker.port, count, samples) as load,
        ):
            _heard(load)
            if name in {LIMIT, TELEGRAF}:
                began, run = self._program(name, broker.port, count, samples, load)
            else:
                began, run = self._ours(name, broker.address, folder, count, load)
        return _measured(run, began, count, samples if name not in {LIMIT, TUTORIAL} else 1)

    def _program(self, name: str, port: int, count: int, samples: int, load: Any) -> tuple[float, Run]:
        if name == LIMIT:
            listener = servers.Listener(self._subscriber, port, count)
            load.send("go")
            run = listener.wait()
            return _heard(load), run
        assert self._server is not None
        bucket = f"telegraf-{self._runs}"
        servers.make_bucket(self._server, bucket)
        program = shutil.which("telegraf") or "telegraf"
        telegraf = servers.Telegraf(program, self._subscriber, port, self._server, bucket, self._folder / bucket)
        time.sleep(2 * contestants.SUBSCRIBE_S)
        load.send("go")
        run = telegraf.wait(count * samples, ANSWER_S)
        return _heard(load), run

    def _ours(self, name: str, broker: str, folder: Path, count: int, load: Any) -> tuple[float, Run]:
        address = f"duckdb:///{folder / 'telemetry.duckdb'}"
        known = None
        if name in {INFLUXDB, TUTORIAL}:
            assert self._server is not None
            address = self._server.address(f"run-{self._runs}")
            if name == TUTORIAL:
                servers.make_bucket(self._server, f"run-{self._runs}")
                known = (self._server.url, servers.ORG, f"run-{self._runs}", servers.TOKEN)
        place = Place(folder, f"{broker}?client=stock" if name == STOCK else broker, address, known)
        work = contestants.tutorial if name == TUTORIAL else contestants.hearthwatch
        with _process(work, place) as ours:
            _heard(ours)
            ours.send(count)
            load.send("go")
            return _heard(load), _heard(ours)

    def _fresh_folder(self) -> Path:
        self._runs += 1
        made = self._folder / str(self._runs)
        made.mkdir(parents=True)
        return made


@contextmanager
def _process(work: Callable[..., None], *arguments: Any, **options: Any) -> Iterator[Connection]:
    """Something in a process of its own, and our end of the line to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(*arguments, theirs), kwargs=options, daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
        process.join(30)
    finally:
        if process.is_alive():
            process.kill()
            process.join()
        ours.close()


def _heard(line: Connection) -> Any:
    try:
        if line.poll(ANSWER_S):
            return line.recv()
    except EOFError:
        raise Unavailable("a contestant ended by itself", where="bench") from None
    raise Unavailable(f"a contestant said nothing for {ANSWER_S:g} s", where="bench")


def _measured(run: Run, began: float, count: int, samples: int) -> Measured:
    rate = count / (run.ended - began)
    return Measured(rate, run.cpu_s / count * 1e6, run.rss_mb, count * samples - run.stored)


def _median(runs: Sequence[Measured]) -> Measured:
    return Measured(
        statistics.median(run.rate for run in runs),
        statistics.median(run.cpu_us for run in runs),
        max((run.rss_mb for run in runs if run.rss_mb is not None), default=None),
        sum(run.missing for run in runs),
    )


def _answer(
    found: Mapping[int, Mapping[str, Sequence[Measured]]],
    replayed: Sequence[Measured],
    latencies: Mapping[str, Mapping[str, float | None]],
    seconds: float,
) -> dict[str, Any]:
    medians = {samples: {name: _median(runs) for name, runs in by_name.items()} for samples, by_name in found.items()}
    ours = medians[1][DUCKDB]
    return {
        "ratio": _rounded(ours.rate / medians[1][LIMIT].rate),
        "cpu_us": round(ours.cpu_us, 1),
        "reference": LIMIT,
        "missing": sum(one.missing for by_name in medians.values() for one in by_name.values()),
        "ratios": {
            f"{samples} samples": {
                f"{name} / {other}": _rounded(by_name[name].rate / by_name[other].rate)
                for name, other in (
                    (DUCKDB, LIMIT),
                    (DUCKDB, STOCK),
                    (INFLUXDB, LIMIT),
                    (INFLUXDB, TUTORIAL),
                    (INFLUXDB, TELEGRAF),
                )
                if name in by_name and other in by_name
            }
            for samples, by_name in medians.items()
        },
        "contestants": {
            f"{samples} samples": {
                name: {
                    "messages_per_s": round(one.rate),
                    "slowest_and_fastest": [
                        round(pick(run.rate for run in found[samples][name])) for pick in (min, max)
                    ],
                    "cpu_us": round(one.cpu_us, 1),
                    **({} if one.rss_mb is None else {"rss_mb": round(one.rss_mb)}),
                }
                for name, one in by_name.items()
            }
            for samples, by_name in medians.items()
        },
        "replay_rows_per_s": round(_median(replayed).rate * 10),
        "latency": {
            share: {name: value if value is None else round(value, 1) for name, value in told.items()}
            for share, told in latencies.items()
        },
        "seconds": round(seconds, 1),
    }


def _rounded(ratio: float) -> float:
    return round(ratio, 2)
