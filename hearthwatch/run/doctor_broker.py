"""The broker, as the doctor sees it: may we speak to it, and what would it lose while we are away?

Every limit that loses data is named, with the setting to write. What can not be seen over MQTT is said to be unseen, never passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hearthwatch.addresses import masked
from hearthwatch.messaging.examination import PROBE_BYTES, SYS_TOPICS, BrokerReport, Probe, examine_broker
from hearthwatch.run.broker_settings import Family, Limit, family_of, to_write
from hearthwatch.run.checks import Check, advice, unfit, well
from hearthwatch.run.mappings import spoken
from hearthwatch.settings import Settings

_LEAST_WINDOW = 100
"""A window of 20 messages and batches of a quarter of a second make 80 messages a second."""
_SHORTEST_SESSION_S = 3600
_UNSEEN = "can not be seen over MQTT"


def check_broker(settings: Settings, *, probe: bool) -> Iterator[Check]:
    """Everything about the broker. Raises `Unavailable` when it is away."""
    if settings.broker.startswith("local:"):
        yield well("broker", "in this process")
        return
    filters = [topic for convention in spoken(settings) for topic in convention.filters]
    report = examine_broker(
        settings.broker,
        filters,
        receive_maximum=settings.receive_maximum,
        probe=probe,
        session_expiry_s=settings.session_expiry_s,
        payload_bytes=settings.max_payload_bytes,
    )
    version = report.told.get(SYS_TOPICS[0]) or next(
        (f"EMQX {said}" for topic, said in report.told.items() if topic.startswith("$SYS/brokers/")), None
    )
    family = family_of(version, says_more=any(topic.startswith("$SYS/brokers/") for topic in report.told))
    name = version or "it does not say which broker it is"
    yield well("broker", f"{masked(settings.broker)} speaks MQTT {report.version} ({name})")
    yield _subscriptions(report, len(filters))
    yield _session(report, settings, family)
    yield from _features(report, family)
    yield _packets(report, settings, family)
    yield _aliases(report)
    yield _dropped(report, family)
    if report.probe is None:
        yield advice("broker.queue", "not tried", "run hearthwatch doctor without --no-probe")
    else:
        yield from _probe(report.probe, settings, family)
    yield from _unseen(family)


def _subscriptions(report: BrokerReport, asked: int) -> Check:
    name = "broker.subscriptions"
    if report.refused_filters:
        says = f"refused: {', '.join(report.refused_filters)}"
        return unfit(
            name, says, "let our user read these topics (the broker's access control), or shorten `conventions`"
        )
    return well(name, f"{asked} topic filters are granted")


def _session(report: BrokerReport, settings: Settings, family: Family | None) -> Check:
    name, asked = "broker.session", settings.session_expiry_s
    granted = report.granted.get("session_expiry_s")
    if report.version == "3.1.1":
        return advice(
            name,
            "by MQTT 3.1.1 the broker alone decides how long it keeps our session and how much is in flight",
            f"use a broker with MQTT 5, or see that it keeps sessions for days: {to_write('session', family)}",
        )
    if granted is not None and granted < asked:
        says = f"it keeps a session for {granted} s; we ask for {asked} s: what comes in a longer outage is lost with the session"
        remedy = f"let the broker keep sessions for days: {to_write('session', family)}"
        return unfit(name, says, remedy) if granted < _SHORTEST_SESSION_S else advice(name, says, remedy)
    return well(name, f"it accepts a session that stays; we ask for {asked} s, and it names no shorter time")


_ABILITIES: Mapping[str, tuple[Limit, str, str]] = {
    "retain_available": ("retain", "retained messages are off", "identity, presence and descriptions are retained"),
    "wildcards_available": ("wildcards", "wildcards are off", "we can not ask for topics of devices we do not know"),
    "shared_available": ("shared", "no shared subscriptions", "several ingestors need them; one alone does not"),
}


def _features(report: BrokerReport, family: Family | None) -> Iterator[Check]:
    """What the broker can do at all."""
    lacking = False
    for key, (limit, says, why) in _ABILITIES.items():
        if not report.granted.get(key, 1):
            lacking = True
            make = advice if limit == "shared" else unfit
            yield make(f"broker.{limit}", says, f"{why}: {to_write(limit, family)}")
    if report.granted.get("maximum_qos", 2) < 1:
        lacking = True
        yield unfit("broker.qos", "it takes no QoS 1", f"nothing else is acknowledged: {to_write('qos', family)}")
    if lacking:
        return
    if report.version == "3.1.1":
        says = f"{_UNSEEN} 3.1.1: whether it has retained messages and QoS 1 for everybody"
        yield advice(
            "broker.features", says, f"see that it has: {to_write('retain', family)}; {to_write('qos', family)}"
        )
    else:
        yield well("broker.features", "retained messages, wildcards, shared subscriptions, QoS 1")


def _packets(report: BrokerReport, settings: Settings, family: Family | None) -> Check:
    name, wanted = "broker.packets", settings.max_payload_bytes
    largest = report.granted.get("maximum_packet_size")
    if largest is not None and largest < wanted:
        says = f"packets of at most {largest} bytes; max_payload_bytes is {wanted}: a device that sends more is cut off"
        return advice(name, says, f"{to_write('size', family, size=wanted)}; or let devices send less at once")
    said = f"packets of at most {largest} bytes" if largest is not None else "it names no largest packet"
    return well(name, f"{said}; max_payload_bytes is {wanted}")


def _aliases(report: BrokerReport) -> Check:
    allowed = report.granted.get("topic_aliases", 0)
    return well("broker.alias", f"devices may have {allowed} topic aliases; the ingestor needs none")


def _dropped(report: BrokerReport, family: Family | None) -> Check:
    name, told = "broker.dropped", report.told.get(SYS_TOPICS[1])
    if told is None:
        says = "can not be seen: it does not tell how many messages it dropped ($SYS)"
        return advice(
            name, says, "watch the broker's own count of dropped messages, and let our user read $SYS/broker/#"
        )
    if told.strip() != "0":
        return advice(
            name,
            f"{told} messages dropped since the broker began",
            f"{to_write('queue', family)}; {to_write('window', family)}; a probe that found the queue too short is counted as well",
        )
    return well(name, "no message dropped since the broker began")


# -- what was tried


def _probe(probe: Probe, settings: Settings, family: Family | None) -> Iterator[Check]:
    if probe.refused or not probe.came:
        lost = probe.refused or "writing or reading"
        says = f"could not be tried: the broker does not allow {lost} of {probe.topic}"
        yield advice("broker.queue", says, "allow our user `readwrite hearthwatch/v1/+/probe`, or use --no-probe")
        return
    yield _queue(probe, family)
    yield _window(probe, settings, family)
    yield _large(probe, settings, family)
    yield _qos0(probe, family)


def _queue(probe: Probe, family: Family | None) -> Check:
    each = f"{PROBE_BYTES} bytes"
    if probe.came < probe.sent:
        says = (
            f"of {probe.sent} messages of {each}, acknowledged while a subscriber was away, {probe.came} came on its return:"
            " the rest is lost"
        )
        return unfit("broker.queue", says, to_write("queue", family))
    return well("broker.queue", f"all {probe.sent} messages of {each} came that were sent while a subscriber was away")


def _window(probe: Probe, settings: Settings, family: Family | None) -> Check:
    wanted = min(settings.receive_maximum, probe.came)
    if probe.window < min(wanted, _LEAST_WINDOW):
        says = f"it sends {probe.window} messages and waits for their acknowledgement; receive_maximum is {settings.receive_maximum}"
        return unfit("broker.window", says, to_write("window", family))
    if probe.window < wanted:
        says = f"{probe.window} messages in flight; receive_maximum is {settings.receive_maximum}"
        return advice("broker.window", says, to_write("window", family))
    return well("broker.window", f"at least {probe.window} messages in flight")


def _large(probe: Probe, settings: Settings, family: Family | None) -> Check:
    name, wanted = "broker.message_size", settings.max_payload_bytes
    remedy = to_write("size", family, size=wanted)
    if not probe.large:
        says = f"not tried: a message of {wanted} bytes (max_payload_bytes) is larger than the packets we agreed on"
        return advice(name, says, f"{remedy}; and ?max_packet={wanted + 70_000} in our broker address")
    if probe.large_came:
        return well(name, f"a message of {probe.large} bytes (max_payload_bytes) came through")
    if probe.large_refused:
        return advice(name, f"a message of {probe.large} bytes (max_payload_bytes) was refused", remedy)
    says = f"a message of {probe.large} bytes (max_payload_bytes) was acknowledged to its sender and never came: it is lost"
    return unfit(name, says, remedy)


def _qos0(probe: Probe, family: Family | None) -> Check:
    name = "broker.qos0"
    if probe.qos0_came < probe.qos0_sent:
        says = "what devices publish at QoS 0 while we are away is not kept (Tasmota, Shelly and Zigbee2MQTT do so by default)"
        return advice(name, says, f"{to_write('qos0', family)}; or let the devices publish at QoS 1")
    return well(name, "messages at QoS 0 are kept while a subscriber is away, like the others")


def _unseen(family: Family | None) -> Iterator[Check]:
    """What nobody can learn over MQTT, and would lose data: it is to be looked up in the broker's configuration."""
    for name, limit, says in (
        ("broker.persistence", "persistence", "whether sessions and queues outlast a restart or a kill of the broker"),
        (
            "broker.queue_length",
            "queue",
            "how much more than what was tried it keeps for a session whose client is away",
        ),
        ("broker.session_kept", "session", "whether it ends sessions earlier than it promised"),
    ):
        yield advice(name, f"{_UNSEEN}: {says}", f"check in its configuration: {to_write(limit, family)}")  # type: ignore[arg-type]
