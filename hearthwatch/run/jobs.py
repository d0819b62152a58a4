"""The table of jobs: what runs, how often, with which options. The order is the order of the data's flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from alerts import jobs as alerting
from alerts.intake import jobs as intake
from alerts.intake.mail.receiving import Incoming
from alerts.mirrors.case import Terms
from alerts.mirrors.job import mirror_tickets
from alerts.notices.wording import Brand
from alerts.rollouts.announce import Announcing
from alerts.service_levels.keeping import keep
from analytics.anomaly import find_anomalies
from analytics.cohorts.dimension_watch import judge_comparisons, weigh_comparisons
from analytics.cohorts.watch import live_log_e, watch_releases
from analytics.findings import recover_findings
from analytics.liveness import watch_liveness
from analytics.liveness.job import Options as LivenessOptions
from analytics.model_life.job import watch_models
from analytics.prognosis import prognose
from analytics.rollouts.gate import keep_gate
from analytics.training.job import train
from analytics.vitals import compute_vitals
from hearthwatch.ports import Channel, ServiceDesk
from hearthwatch.records import (
    blindness,
    commands,
    customer_links,
    findings,
    idempotency,
    job_runs,
    late_days,
    liveness,
    outbox,
)
from hearthwatch.run.assembly import Platform
from hearthwatch.run.backtesting import EVERY as BACKTESTS_EVERY
from hearthwatch.run.backtesting import BacktestWorker
from hearthwatch.run.channels import endpoints, patience
from hearthwatch.run.doctor_costs import configured_costs
from hearthwatch.run.policy_replay import EVERY as REPLAYS_EVERY
from hearthwatch.run.policy_replay import ReplayWorker
from hearthwatch.run.reporters import desk_of
from hearthwatch.run.schedule import PROMPT, Job

JOB_RUNS_KEPT = timedelta(days=14)
IDEMPOTENCY_KEYS_KEPT = timedelta(days=7)
NONCES_KEPT = timedelta(days=2)  # a form is good for one


@dataclass(frozen=True, slots=True)
class Work:
    """What a job needs: the platform and the ways out of the house."""

    platform: Platform
    channels: Mapping[str, Channel]
    backtests: BacktestWorker = field(default_factory=BacktestWorker)
    replays: ReplayWorker = field(default_factory=ReplayWorker)
    desk: ServiceDesk | None = None


def _rollup(work: Work, now: datetime) -> Mapping[str, Any]:
    return {"rows": work.platform.store.rollup(now)}


def _vitals(work: Work, now: datetime) -> Mapping[str, Any]:
    return compute_vitals(work.platform.store, work.platform.database, now)


def _liveness(work: Work, now: datetime) -> Mapping[str, Any]:
    settings = work.platform.settings
    options = LivenessOptions(
        will_grace=timedelta(seconds=settings.liveness_will_grace_s),
        silent_after=timedelta(hours=settings.liveness_silent_h),
        minimum=settings.liveness_mass_minimum,
        flaps=settings.liveness_flaps,
        relapse=timedelta(days=settings.relapse_days),
    )
    return watch_liveness(work.platform.store, work.platform.database, now, options)


def _anomalies(work: Work, now: datetime) -> Mapping[str, Any]:
    options = work.platform.settings
    return find_anomalies(
        work.platform.store,
        work.platform.database,
        now,
        rate=options.false_alarms_per_1000_device_days,
        relapse=timedelta(days=options.relapse_days),
    )


def _train(work: Work, now: datetime) -> Mapping[str, Any]:
    return train(
        work.platform.store, work.platform.database, now, min_failures=work.platform.settings.prognosis_min_failures
    )


def _prognose(work: Work, now: datetime) -> Mapping[str, Any]:
    options = work.platform.settings
    return prognose(
        work.platform.store,
        work.platform.database,
        now,
        alarm=options.prognosis_alarm,
        costs=configured_costs(options),
        per_1000_and_week=options.prognosis_budget_per_1000_device_weeks,
        relapse=timedelta(days=options.relapse_days),
    )


def _models(work: Work, now: datetime) -> Mapping[str, Any]:
    options = work.platform.settings
    return watch_models(
        work.platform.database,
        now,
        no_fault_allowed=options.model_no_fault_found_allowed,
        relapse=timedelta(days=options.relapse_days),
    )


def _cohorts(work: Work, now: datetime) -> Mapping[str, Any]:
    """Releases and standing comparisons: each is weighed by itself, then all are judged together."""
    options, store, database = work.platform.settings, work.platform.store, work.platform.database
    strictness: Mapping[str, Any] = {"margin": options.cohort_margin, "guard": options.cohort_guard}
    burn_in = timedelta(hours=options.cohort_burn_in_h)
    judging: Mapping[str, Any] = {
        "page_fdr": options.cohort_page_fdr,
        "watch_fdr": options.cohort_watch_fdr,
        "relapse": timedelta(days=options.relapse_days),
    }
    asked = weigh_comparisons(store, database, now, burn_in=burn_in, gauges=options.cohort_gauges, **strictness)
    released = watch_releases(
        store,
        database,
        now,
        burn_in=burn_in,
        gauges=options.cohort_gauges,
        beside=asked.log_e,
        **strictness,
        **judging,
    )
    beside = live_log_e(database, now)
    return {**released, "comparisons": judge_comparisons(database, asked, beside=beside, **strictness, **judging)}


def _rollouts(work: Work, now: datetime) -> Mapping[str, Any]:
    announce = Announcing(webhook=bool(work.platform.settings.rollout_webhook.get_secret_value()))
    relapse = timedelta(days=work.platform.settings.relapse_days)
    return keep_gate(work.platform.store, work.platform.database, now, announce=announce, relapse=relapse)


def _recover(work: Work, now: datetime) -> Mapping[str, Any]:
    quiet = timedelta(hours=work.platform.settings.recover_hours)
    return recover_findings(work.platform.database, now, quiet=quiet)


def _policy(work: Work, now: datetime) -> Mapping[str, Any]:
    return alerting.apply_policy(work.platform.database, now, brand=brand(work.platform), **_links(work.platform))


def _follow_up(work: Work, now: datetime) -> Mapping[str, Any]:
    return alerting.follow_up(work.platform.database, now, brand=brand(work.platform), **_links(work.platform))


def _campaigns(work: Work, now: datetime) -> Mapping[str, Any]:
    return alerting.run_campaigns(work.platform.database, now, brand=brand(work.platform), **_links(work.platform))


def _sla(work: Work, now: datetime) -> Mapping[str, Any]:
    return keep(work.platform.database, now, public_url=work.platform.settings.public_url)


def _commands(work: Work, now: datetime) -> Mapping[str, Any]:
    return alerting.tend_commands(work.platform.database, now, ask_devices=work.platform.settings.ask_devices)


def _deliver(work: Work, now: datetime) -> Mapping[str, Any]:
    with work.platform.database.transaction() as connection:  # whoever runs this holds the lease: nobody else sends
        outbox.take_over(connection, work.platform.holder, now)
    settings = work.platform.settings
    return alerting.deliver(
        work.platform.database,
        work.channels,
        now,
        worker=work.platform.holder,
        patience=patience(settings),
        endpoints=endpoints(settings),
    )


def _mirrors(work: Work, now: datetime) -> Mapping[str, Any]:
    if work.desk is None:
        return {}
    options = work.platform.settings
    terms = Terms(options.public_url, options.service_desk_language, options.service_desk_customers)
    return mirror_tickets(work.platform.database, work.desk, terms, now)


def _mail(work: Work, now: datetime) -> Mapping[str, Any]:
    options = work.platform.settings
    address = options.inbound_mailbox.get_secret_value()
    if not address:
        return {}
    incoming = Incoming("imap", desk_of(work.platform.settings, work.platform.secret_key), options.inbound_mail_server)
    return intake.fetch_mail(work.platform.database, address, incoming, now)


def _reporters(work: Work, now: datetime) -> Mapping[str, Any]:
    return intake.tell_reporters(work.platform.database, desk_of(work.platform.settings, work.platform.secret_key), now)


def _backtests(work: Work, _now: datetime) -> Mapping[str, Any]:
    platform = work.platform
    return work.backtests.work(platform.settings, platform.database, platform.clock, platform.holder)


def _replays(work: Work, _now: datetime) -> Mapping[str, Any]:
    platform = work.platform
    return work.replays.work(platform.database, platform.clock, platform.holder)


def _expire(work: Work, now: datetime) -> Mapping[str, Any]:
    options = work.platform.settings
    rows = work.platform.store.expire(
        raw_before=now - timedelta(days=options.raw_days), rollups_before=now - timedelta(days=options.rollup_days)
    )
    with work.platform.database.transaction() as connection:
        runs = job_runs.forget(connection, now - JOB_RUNS_KEPT)
        idempotency.forget(connection, now - IDEMPOTENCY_KEYS_KEPT)
        customer_links.forget_nonces(connection, now - NONCES_KEPT)
        liveness.forget_changes(connection, now - timedelta(days=options.liveness_days))
        blindness.forget(connection, now - timedelta(days=options.rollup_days))
        findings.forget_sights(connection, now - timedelta(days=options.rollup_days))
        late_days.forget(connection, now - timedelta(days=options.rollup_days))
        asked = commands.forget(connection, now - timedelta(days=options.rollup_days))
    intake.forget(work.platform.database, now)
    return {"telemetry_rows": rows, "commands": asked, "job_runs": runs}


def brand(platform: Platform) -> Brand:
    """The maker's name and addresses, as notices show them."""
    options = platform.settings
    return Brand(name=options.brand_name, phone=options.brand_phone, privacy_url=options.brand_privacy_url)


def _links(platform: Platform) -> Mapping[str, Any]:
    options = platform.settings
    return {
        "public_url": options.public_url,
        "link_life": timedelta(days=options.link_days),
    }


JOBS: tuple[Job[Work], ...] = (
    Job("liveness", timedelta(minutes=1), _liveness),
    Job("rollup", timedelta(minutes=5), _rollup),
    Job("vitals", timedelta(hours=12), _vitals),
    Job("train", timedelta(days=7), _train),
    Job("anomalies", timedelta(days=1), _anomalies, after=late_days.JUDGED_AFTER),
    Job("prognose", timedelta(days=1), _prognose, after=late_days.JUDGED_AFTER + timedelta(minutes=10)),
    Job("models", timedelta(days=1), _models, after=late_days.JUDGED_AFTER + timedelta(minutes=20)),
    Job("cohorts", timedelta(hours=1), _cohorts),
    Job("rollouts", timedelta(hours=1), _rollouts),
    Job("recover", timedelta(hours=1), _recover),
    Job("policy", timedelta(minutes=1), _policy, lane=PROMPT),
    Job("follow_up", timedelta(minutes=5), _follow_up, lane=PROMPT),
    Job("campaigns", timedelta(minutes=1), _campaigns, lane=PROMPT),
    Job("sla", timedelta(minutes=1), _sla, lane=PROMPT),
    Job("commands", timedelta(seconds=15), _commands, lane=PROMPT),
    Job("deliver", timedelta(seconds=15), _deliver, lane=PROMPT),
    Job("mirrors", timedelta(seconds=15), _mirrors, lane="mirrors"),
    Job("mail", timedelta(minutes=1), _mail, lane="mail"),
    Job("reporters", timedelta(minutes=1), _reporters, lane=PROMPT),
    Job("backtests", BACKTESTS_EVERY, _backtests, lane="backtests"),
    Job("replays", REPLAYS_EVERY, _replays, lane="replays"),
    Job("expire", timedelta(days=1), _expire, after=timedelta(hours=3)),
)
