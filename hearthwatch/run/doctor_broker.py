"""The broker, as the doctor sees it: may we speak to it, and what would it lose while we are away?"""

from __future__ import annotations

from collections.abc import Iterator

from hearthwatch.addresses import masked
from hearthwatch.messaging.examination import SYS_TOPICS, BrokerReport, Probe, examine_broker
from hearthwatch.run.checks import Check, advice, unfit, well
from hearthwatch.run.mappings import spoken
from hearthwatch.settings import Settings

_LIMITS = (
    "in mosquitto.conf: max_queued_messages 1000000, max_inflight_messages 5000 (deploy/mosquitto has a whole file)"
)
_LEAST_WINDOW = 100
"""A window of 20 messages and batches of a quarter of a second make 80 messages a second."""


def check_broker(settings: Settings, *, probe: bool) -> Iterator[Check]:
    """Everything about the broker. Raises `Unavailable` when it is away."""
    if settings.broker.startswith("local:"):
        yield well("broker", "in this process")
        return
    filters = [topic for convention in spoken(settings) for topic in convention.filters]
    report = examine_broker(settings.broker, filters, receive_maximum=settings.receive_maximum, probe=probe)
    name = report.told.get(SYS_TOPICS[0], "it does not say which broker it is")
    yield well("broker", f"{masked(settings.broker)} speaks MQTT {report.version} ({name})")
    yield _subscriptions(report, len(filters))
    yield _session(report, settings)
    yield _features(report, settings)
    yield _dropped(report)
    if report.probe is None:
        yield advice("broker.queue", "not tried", "run hearthwatch doctor without --no-probe")
    else:
        yield from _probe(report.probe, settings)


def _subscriptions(report: BrokerReport, asked: int) -> Check:
    name = "broker.subscriptions"
    if report.refused_filters:
        says = f"refused: {', '.join(report.refused_filters)}"
        return unfit(
            name, says, "let our user read these topics (the broker's access control), or shorten `conventions`"
        )
    return well(name, f"{asked} topic filters are granted")


def _session(report: BrokerReport, settings: Settings) -> Check:
    name = "broker.session"
    granted = report.granted.get("session_expiry_s")
    if report.version == "3.1.1":
        return advice(
            name,
            "by MQTT 3.1.1 the broker alone decides how long it keeps our session and how much is in flight",
            "use a broker with MQTT 5, or see that it keeps sessions (Mosquitto: persistent_client_expiration) for days",
        )
    if granted is not None and granted < min(settings.session_expiry_s, 120):
        return unfit(
            name,
            f"it keeps a session for {granted} s",
            "let the broker keep sessions for days: what comes while we are away is lost with the session",
        )
    return well(name, f"it accepts a session that stays; we ask for {settings.session_expiry_s} s")


def _features(report: BrokerReport, settings: Settings) -> Check:
    name, granted = "broker.features", report.granted
    largest = granted.get("maximum_packet_size", settings.max_payload_bytes)
    if not granted.get("retain_available", 1) or not granted.get("wildcards_available", 1):
        return unfit(name, "retained messages or wildcards are off", "turn both on: identity and presence are retained")
    if granted.get("maximum_qos", 2) < 1:
        return unfit(name, "it takes no QoS 1", "allow QoS 1: nothing else is acknowledged")
    if not granted.get("shared_available", 1):
        return advice(name, "no shared subscriptions", "run one ingestor only, or allow shared subscriptions")
    if largest < settings.max_payload_bytes:
        says = f"packets of at most {largest} bytes; max_payload_bytes is {settings.max_payload_bytes}"
        return advice(
            name, says, "raise the broker's limit (Mosquitto: message_size_limit), or let devices send less at once"
        )
    return well(name, "retained messages, wildcards and shared subscriptions; packets as large as ours")


def _dropped(report: BrokerReport) -> Check:
    name, told = "broker.dropped", report.told.get(SYS_TOPICS[1])
    if told is None:
        return well(name, "it does not tell how many messages it dropped ($SYS)")
    if told.strip() != "0":
        return advice(
            name,
            f"{told} messages dropped since the broker began",
            f"{_LIMITS}; a probe that found the queue too short is counted as well",
        )
    return well(name, "no message dropped since the broker began")


def _probe(probe: Probe, settings: Settings) -> Iterator[Check]:
    if probe.refused or not probe.came:
        lost = probe.refused or "writing or reading"
        says = f"could not be tried: the broker does not allow {lost} of {probe.topic}"
        yield advice("broker.queue", says, "allow our user `readwrite hearthwatch/v1/+/probe`, or use --no-probe")
        return
    if probe.came < probe.sent:
        says = f"of {probe.sent} messages acknowledged while a subscriber was away, {probe.came} came on its return: the rest is lost"
        yield unfit("broker.queue", says, _LIMITS)
    else:
        yield well("broker.queue", f"all {probe.sent} messages came that were sent while a subscriber was away")
    wanted = min(settings.receive_maximum, probe.came)
    if probe.window < min(wanted, _LEAST_WINDOW):
        says = f"it sends {probe.window} messages and waits for their acknowledgement; receive_maximum is {settings.receive_maximum}"
        yield unfit("broker.window", says, f"speak MQTT 5 to it; or {_LIMITS}")
    elif probe.window < wanted:
        says = f"{probe.window} messages in flight; receive_maximum is {settings.receive_maximum}"
        yield advice("broker.window", says, _LIMITS)
    else:
        yield well("broker.window", f"at least {probe.window} messages in flight")
