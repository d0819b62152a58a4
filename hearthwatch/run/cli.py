"""The command line: every command's options and words. What a command does lies in the module it calls.

Exit codes: 0 done, 1 ``demo`` or ``doctor`` ran and the answer is no, 2 wrong usage or configuration, 3 a server is away.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from hearthwatch import __version__
from hearthwatch.errors import HearthwatchError, Unavailable
from hearthwatch.run import logs
from hearthwatch.run.administration import administration
from hearthwatch.run.commanding import command
from hearthwatch.run.customers_cli import customer
from hearthwatch.run.devices_cli import device
from hearthwatch.run.printing import print_json, show
from hearthwatch.run.tickets_cli import ticket
from hearthwatch.settings import Settings, load_settings

DONE, NO, WRONG, AWAY = 0, 1, 2, 3
INTERRUPTED = 130

app = typer.Typer(
    name="hearthwatch",
    help="Predictive maintenance for makers of smart-home devices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
administration(app)
app.add_typer(
    device, name="device", help="Identities of devices, and their access to the broker.", no_args_is_help=True
)
app.add_typer(command, name="command", help="Ask devices, and read their answers.", no_args_is_help=True)
app.add_typer(ticket, name="ticket", help="What comes in for tickets from outside.", no_args_is_help=True)
app.add_typer(customer, name="customer", help="What is known of a person, and forgetting one.", no_args_is_help=True)
bench = typer.Typer(
    help="Measure on this machine, beside a reference that runs in the same minutes.", no_args_is_help=True
)
app.add_typer(bench, name="bench")
mapping_commands = typer.Typer(help="Mapping files: what the columns of a history mean.", no_args_is_help=True)
app.add_typer(mapping_commands, name="mapping")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")]
Role = Literal["all", "ingest", "jobs", "api"]
Transport = Literal["auto", "mosquitto", "local"]
Seed = Annotated[int, typer.Option(help="The same seed gives the same story.")]
MappingFile = Annotated[
    Path, typer.Option("--mapping", help="What the columns mean (TOML).", exists=True, dir_okay=False)
]
HistoryPath = Annotated[Path, typer.Argument(help="A file or folder with CSV, CSV.gz or Parquet.", exists=True)]


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit code."""
    try:
        answer = app(list(arguments), standalone_mode=False)
        return answer if isinstance(answer, int) else DONE
    except typer.Exit as ended:
        return ended.exit_code
    except typer.TyperException as wrong:
        words = wrong.format_message()
        sys.stderr.write(words + "\n" if words.startswith("Usage:") else f"hearthwatch: {words}\n")
        return WRONG
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Unavailable as away:
        sys.stderr.write(f"hearthwatch: {away}\n")
        return AWAY
    except HearthwatchError as wrong:
        sys.stderr.write(f"hearthwatch: {wrong}\n")
        return WRONG
    except BrokenPipeError:  # the reader of our output went away
        sys.stderr.close()
        return DONE


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.", is_eager=True)] = False,
) -> None:
    """Predictive maintenance for makers of smart-home devices."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def settings_with_logs(**options: object) -> Settings:
    """Read the settings and set the logs up as they say."""
    settings = load_settings(**{name: value for name, value in options.items() if value is not None})
    logs.configure(settings.log_level, settings.log_format)
    return settings


@app.command()
def up(
    role: Annotated[Role, typer.Option(help="Which part of the platform this process runs.")] = "all",
    host: Annotated[str | None, typer.Option(help="Interface of the pages and the API.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the pages and the API.")] = None,
) -> None:
    """Run the platform; Ctrl-C ends it cleanly."""
    from hearthwatch.run.up import run_up

    run_up(settings_with_logs(host=host, port=port), role)


@app.command()
def demo(
    devices: Annotated[int | None, typer.Option(min=1, help="Size of the fleet; default: the scenario's.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Simulated days; default: the scenario's.")] = None,
    seed: Seed = 1,
    once: Annotated[
        bool, typer.Option("--once", help="End by itself; exit 0 only if the story came out right.")
    ] = False,
    transport: Annotated[Transport, typer.Option(help="How messages travel.")] = "auto",
    scenario: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Scenario file (TOML).")] = None,
    port: Annotated[int, typer.Option(help="Port of the pages; 0 takes a free one.")] = 8080,
    telemetry: Annotated[
        str | None, typer.Option(help="Address of an empty telemetry store; default: one of its own.")
    ] = None,
    records: Annotated[str | None, typer.Option(help="Address of empty records; default: some of its own.")] = None,
    as_json: Json = False,
) -> int:
    """A simulated fleet through the whole loop at accelerated time, with pages to watch it."""
    from hearthwatch.run.demo import DemoOptions, run_demo

    logs.configure("warning", "text")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl+C does, and its broker with it
    options = DemoOptions(
        devices=devices,
        days=days,
        seed=seed,
        once=once,
        transport=transport,
        scenario=scenario,
        port=port,
        as_json=as_json,
        telemetry=telemetry,
        records=records,
    )
    return DONE if run_demo(options)["passed"] else NO


@app.command()
def sim(
    broker: Annotated[str, typer.Option(help="mqtt:// or mqtts:// address of any broker.")],
    devices: Annotated[int, typer.Option(min=1)] = 100,
    rate: Annotated[float, typer.Option(min=0.001, help="Messages per second, over all devices.")] = 20.0,
    seed: Seed = 1,
    scenario: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Scenario file (TOML).")] = None,
    convention: Annotated[str, typer.Option(help="How the devices speak.")] = "native",
) -> None:
    """A fleet that publishes to any broker, ours or not, until Ctrl-C."""
    from hearthwatch.run.simulate import run_simulation

    logs.configure("info", "text")
    run_simulation(broker, devices=devices, rate=rate, seed=seed, scenario=scenario, convention=convention)


@app.command("import")
def import_(path: HistoryPath, mapping: MappingFile, as_json: Json = False) -> None:
    """Take history from CSV, CSV.gz or Parquet into the stores; may be run twice."""
    from hearthwatch.run.backtest_table import remark_lines
    from hearthwatch.run.history import run_import

    answer = run_import(settings_with_logs(), path, mapping)
    if as_json:
        print_json(answer)
        return
    show({name: value for name, value in answer.items() if name != "quality"}, as_json)
    for line in remark_lines(answer["quality"]["remarks"]):
        typer.echo(line)


@app.command()
def backtest(
    path: HistoryPath,
    mapping: MappingFile,
    cut: Annotated[
        str | None, typer.Option(help="Date that splits training from test; default 60 % of the span.")
    ] = None,
    horizon: Annotated[str, typer.Option(help="How far ahead a failure counts, in days: 7d.")] = "7d",
    save: Annotated[
        bool, typer.Option("--save", help="Keep the report in the records, for the page Backtests.")
    ] = False,
    attended: Annotated[bool, typer.Option("--attended", hidden=True)] = False,
    as_json: Json = False,
) -> int:
    """How well would we have predicted this history, how early, at how many false alarms, and why?"""
    from hearthwatch.run.backtesting import backtest_command

    return backtest_command(
        settings_with_logs(), path, mapping, cut, horizon, save=save, attended=attended, as_json=as_json
    )


@app.command()
def replay(
    policy: Annotated[Path, typer.Option("--policy", help="The policy to try (TOML).", exists=True, dir_okay=False)],
    since: Annotated[str, typer.Option(help="From when on it would have been live: 2026-05-01, or with a time.")],
    until: Annotated[str | None, typer.Option(help="Until when; default now.")] = None,
    version: Annotated[int | None, typer.Option("--policy-version", hidden=True)] = None,
    most: Annotated[int | None, typer.Option("--most", min=1, hidden=True)] = None,
    attended: Annotated[bool, typer.Option("--attended", hidden=True)] = False,
    as_json: Json = False,
) -> None:
    """What a policy would have sent and opened on stored history, what of it was right, and how it differs from today's."""
    from hearthwatch.run.policy_replay import replay_command

    settings = settings_with_logs()
    replay_command(settings, policy, since, until, version=version, most=most, attended=attended, as_json=as_json)


@mapping_commands.command("suggest")
def mapping_suggest(path: HistoryPath) -> None:
    """Propose a mapping file from the columns; print it on standard output, to be read before it is used."""
    from hearthwatch.history.suggestion import suggest

    typer.echo(suggest(path), nl=False)


@app.command()
def cohorts(
    path: HistoryPath,
    mapping: MappingFile,
    by: Annotated[str, typer.Option(help="Column whose values are compared.")] = "firmware",
    assignment: Annotated[
        Literal["randomised", "staged", "unknown"] | None,
        typer.Option(help="How devices came to another value; default: as the mapping says, else unknown."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Was a release, batch or hardware revision worse, from history?"""
    from hearthwatch.run.cohort_table import lines
    from hearthwatch.run.history import run_cohorts

    settings_with_logs()
    answer = run_cohorts(path, mapping, by, assignment)
    if as_json:
        show(answer, as_json)
    else:
        typer.echo("\n".join(lines(answer)))


@app.command()
def evaluate(
    suite: Annotated[str, typer.Argument(help="Which suite: asd, asos, backblaze, cmapss, cohorts or nab.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the suite's data; cohorts needs none and keeps in it what a later run continues."
        ),
    ] = None,
    replications: Annotated[
        int | None, typer.Option(min=1, help="cohorts: simulated fleets of each cell; default 2,000.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            help='cohorts: only cells with this in their name ("power*ratio 2"); nab: "perturbation", each constant changed.'
        ),
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="cohorts: processes at once; default 1.")] = None,
    seed: Annotated[int | None, typer.Option(help="cohorts: the same seed gives the same fleets; default 1.")] = None,
    as_json: Json = False,
) -> None:
    """Published and own benchmark suites: how well the analytics do, beside what people use today."""
    from hearthwatch.run.evaluate import Options, run_evaluation

    logs.configure("error", "text")
    options = Options(suite=suite, data=data, replications=replications, only=only, jobs=jobs, seed=seed)
    run_evaluation(options, as_json=as_json)


@app.command()
def decode(
    topic: Annotated[str | None, typer.Argument(help="Topic of one message; without it JSON lines are read.")] = None,
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="Its payload; default: stdin.")
    ] = None,
    mapping: Annotated[
        list[Path] | None,
        typer.Option(
            "--mapping", help="A mapping file of a maker's own topics, to try it; may be given several times."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """What do we make of this message?"""
    from hearthwatch.run.decoding import decode_lines, decode_one
    from hearthwatch.run.mappings import spoken

    understood = spoken(settings_with_logs(), mapping or ())
    if topic is None:
        decode_lines(sys.stdin.buffer, understood, sys.stdout)
    else:
        payload = file.read_bytes() if file else sys.stdin.buffer.read()
        decode_one(topic, payload, understood, sys.stdout, as_json=as_json)


@app.command()
def train(
    model: Annotated[
        str | None, typer.Option(help="Only this device model (PLUG-1) or part of it (PLUG-1/relay), due or not.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train the prognosis on closed tickets and imported failures."""
    from hearthwatch.run.history import run_training

    show(run_training(settings_with_logs(), model), as_json)


@app.command()
def doctor(
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Try with a throw-away session what the broker would lose.")
    ] = True,
    as_json: Json = False,
) -> int:
    """Check settings, stores, migrations, broker, clock, disk, mail and backups; say what to do about each."""
    from hearthwatch.run.doctor import examine, printed

    report = examine(settings_with_logs(), probe=probe)
    if as_json:
        show(report, as_json=True)
    else:
        for line in printed(report):
            typer.echo(line)
    return DONE if report["ok"] else NO


@bench.command("ingest")
def bench_ingest(
    messages: Annotated[int, typer.Option(min=1000, help="Messages of one run.")] = 60_000,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each contestant; the median counts.")] = 3,
    latency_seconds: Annotated[float, typer.Option(min=1, help="How long each latency is measured.")] = 10.0,
    influxdb: Annotated[bool, typer.Option(help="Measure into InfluxDB as well, where influxd is installed.")] = True,
    as_json: Json = False,
) -> None:
    """How fast messages become durable here, beside the broker's own limit."""
    from hearthwatch.run.bench.ingest import Options, run_ingest

    logs.configure("error", "text")
    options = Options(messages=messages, rounds=rounds, latency_seconds=latency_seconds, influxdb=influxdb)
    show(run_ingest(options, lambda line: typer.echo(line, err=True)), as_json)


@bench.command("store")
def bench_store(
    devices: Annotated[int, typer.Option(min=10, help="Devices, a reading of 5 metrics a minute each.")] = 1000,
    days: Annotated[int, typer.Option(min=3, help="Days; 1,000 devices and 14 days are 100 million readings.")] = 14,
    as_json: Json = False,
) -> None:
    """How large, and how fast, the embedded store is here, beside its engine on the same rows."""
    from hearthwatch.run.bench.store import Options, run_store

    logs.configure("error", "text")
    show(run_store(Options(devices=devices, days=days), lambda line: typer.echo(line, err=True)), as_json)


@bench.command("score")
def bench_score(
    devices: Annotated[int, typer.Option(min=1, help="Devices, 8 metrics a minute each.")] = 4_000,
    minutes: Annotated[int, typer.Option(min=1, help="Minutes that are measured; the median counts.")] = 60,
    minutes_before: Annotated[int, typer.Option(min=0, help="Minutes of which the devices' past is made.")] = 1_440,
    as_json: Json = False,
) -> None:
    """How much of one core it takes to score every value of a fleet, beside a running z-score."""
    from hearthwatch.run.bench.score import Options, run_score

    logs.configure("error", "text")
    options = Options(devices=devices, minutes=minutes, minutes_before=minutes_before)
    show(run_score(options, lambda line: typer.echo(line, err=True)), as_json)


@bench.command("cohorts")
def bench_cohorts(
    streams: Annotated[int, typer.Option(min=1, help="Metrics of releases that are watched.")] = 10_000,
    devices: Annotated[int, typer.Option(min=10, help="Devices of each.")] = 500,
    looks: Annotated[int, typer.Option(min=1, help="Hourly looks; the median counts.")] = 6,
    as_json: Json = False,
) -> None:
    """How long an hourly look at many releases takes on one core, beside the same releases taken one by one."""
    from hearthwatch.run.bench.cohorts import Options, run_cohorts

    logs.configure("error", "text")
    options = Options(streams=streams, devices=devices, looks=looks)
    show(run_cohorts(options, lambda line: typer.echo(line, err=True)), as_json)
