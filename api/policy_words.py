"""Why a notice was written, and why a finding became what it did, in words: made of the facts that were kept with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from gettext import NullTranslations
from importlib import resources
from typing import Any, Protocol

from hearthwatch.catalogues import languages_in, read_catalogues
from hearthwatch.records.policy_decisions import Decision
from hearthwatch.values import Notice

Line = tuple[str, str]
"""What it is about, and what there is to say."""


class Say(Protocol):
    """Says an English sentence in some language, its ``{names}`` filled in."""

    def __call__(self, sentence: str, /, **names: object) -> str:
        """The sentence."""
        ...


@lru_cache(maxsize=8)
def said_in(language: str) -> Say:
    """A speaker of a language (``en``, ``zh-CN``, ``zh_Hans``); English where there are no words for it."""
    folder = resources.files("api") / "locale"
    wanted = language.replace("-", "_")
    known = next(
        (one for one in languages_in(folder) if one == wanted or one.split("_")[0] == wanted.split("_")[0]), "en"
    )
    words = NullTranslations() if known == "en" else read_catalogues(folder, known)

    def say(sentence: str, /, **names: object) -> str:
        said = words.gettext(sentence)
        return said.format(**names) if names else said

    return say


# -- a notice


def of_notice(say: Say, notice: Notice) -> list[Line]:
    """Why a notice was written, and what stood or did not stand in its way. Empty for one of before reasons were kept."""
    why = notice.why
    if not why:
        return []
    lines = [
        (say("Rule"), _rule(say, why, notice.policy_version)),
        (say("What fitted"), matched(say, why)),
        (say("Expected cost"), cost(say, why)),
        (say("Held to the rule"), hysteresis(say, why)),
        (say("Device"), _device(say, why)),
        (say("Consent"), _consent(say, why)),
        (say("Channel"), _channel(say, why)),
        (say("Household"), _spent(say, why, "household")),
        (say("Whole fleet"), _spent(say, why, "fleet")),
        (say("Time"), _time(say, why)),
        (say("Together with"), _together(say, why)),
        (say("Looked at, and not in the way"), _looked_at(say, why)),
        (say("Mode"), _mode(say, why)),
    ]
    return [(about, text) for about, text in lines if text]


def _mode(say: Say, why: Mapping[str, Any]) -> str:
    if "live" not in why:
        return ""
    return say("The policy was live.") if why["live"] else say("The policy observed: it was not sent.")


def _rule(say: Say, why: Mapping[str, Any], version: int) -> str:
    if "number" not in why:  # what follows from a ticket, or was asked for, is no rule's
        return say("Policy version {version}.", version=version)
    return say(
        "Rule {number} of policy version {version}: {rule}", number=why["number"], version=version, rule=why["rule"]
    )


def matched(say: Say, why: Mapping[str, Any]) -> str:
    """What of the rule the finding matched."""
    found = why.get("matched") or {}
    if "number" in why and not found:
        return say("The rule fits every finding.")
    pairs = (
        say("{key}: {value}", key=key_name(say, key), value=_values(say, key, value)) for key, value in found.items()
    )
    return say("; ").join(pairs)


def _values(say: Say, key: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0%}"
    return say(", ").join(
        value_name(say, key, str(one)) for one in (value if isinstance(value, list) else [value or "–"])
    )


def value_name(say: Say, key: str, value: str) -> str:
    """A value of a rule's key as people call it; names that the maker gave stay as they are."""
    if key in {"models", "regions", "groups"}:
        return value
    if key == "warranty":
        return {"in": say("in force"), "out": say("over")}.get(value, say("unknown"))
    return say(value.replace("_", " "))


def key_name(say: Say, key: str) -> str:
    """A key of a rule as people call it."""
    names = {
        "kinds": say("kind"),
        "modes": say("failure mode"),
        "parts": say("part"),
        "models": say("model"),
        "device_classes": say("device class"),
        "safety_classes": say("safety class"),
        "regions": say("region"),
        "groups": say("device group"),
        "warranty": say("warranty"),
        "severity": say("severity"),
        "probability": say("probability"),
    }
    return names.get(key, key)


def cost(say: Say, why: Mapping[str, Any]) -> str:
    """The sums that decided whether acting pays, where the rule asks for that."""
    sums = why.get("cost")
    if not sums:
        return ""
    likely = f"{sums['probability']:.0%}"
    assumed = say(" (assumed for its severity: it tells no probability)") if sums["assumed"] else ""
    return say(
        "Not acting is expected to cost {loss} {currency} ({likely} of {failure}), acting {price} {currency}{assumed}: {verdict}.",
        loss=f"{sums['loss']:.2f}",
        currency=sums["currency"],
        likely=likely,
        failure=f"{sums['failure']:g}",
        price=f"{sums['price']:.2f}",
        assumed=assumed,
        verdict=say("acting costs less") if sums["loss"] > sums["price"] else say("acting costs more"),
    )


def hysteresis(say: Say, why: Mapping[str, Any]) -> str:
    """That a rule kept a finding which is below its line."""
    kept = why.get("kept_by_hysteresis")
    if not kept:
        return ""
    return say(
        "The probability is below the rule's line of {line} by less than {margin}: the rule that held it before keeps it.",
        line=f"{kept['line']:.0%}",
        margin=f"{kept['margin']:.0%}",
    )


def _device(say: Say, why: Mapping[str, Any]) -> str:
    told = why.get("device")
    if not told:
        return ""
    warranty = {"in": say("in warranty"), "out": say("out of warranty")}.get(told["warranty"], say("warranty unknown"))
    parts = [told["model"] or "", told["region"] or "", warranty]
    if told["safety_class"] != "none":
        parts.append(say("a failure may cause {harm}", harm=_harm(say, told["safety_class"])))
    return say(", ").join(part for part in [*parts, *told["groups"]] if part)


def _harm(say: Say, safety_class: str) -> str:
    return say("injury") if safety_class == "injury" else say("damage to property")


def _consent(say: Say, why: Mapping[str, Any]) -> str:
    told = why.get("consent")
    if not told:
        return ""
    purpose = say(str(told["purpose"]))
    if not told["needed"]:
        return say("Not needed for {purpose}.", purpose=purpose)
    return (
        say("Given for {purpose}.", purpose=purpose)
        if told["given"]
        else say("Not given for {purpose}.", purpose=purpose)
    )


def _channel(say: Say, why: Mapping[str, Any]) -> str:
    if len(why.get("channels") or ()) > 1:
        return say("all at once: {channels}", channels=say(", ").join(str(one) for one in why["channels"]))
    if "channel" not in why:
        return ""
    return str(why["channel"]) if why["channel"] else say("none that may be used")


def _spent(say: Say, why: Mapping[str, Any], what: str) -> str:
    told = why.get(what)
    if not told:
        return ""
    limit, spent = told["limit"], told["spent"]
    if what == "household":
        text = say("{spent} of {limit} notices within 30 days before this one", spent=spent, limit=limit)
    else:
        text = say("{spent} of {limit} notices within 7 days when this round began", spent=spent, limit=limit)
    return text + (say("; not held back by it") if why.get("passes") else "")


def _time(say: Say, why: Mapping[str, Any]) -> str:
    if why.get("passes"):
        return say("At once: safety or urgent, so neither quiet hours nor holidays hold it back.")
    quiet = why.get("quiet")
    if not quiet:
        return (
            say("Waits from {at} UTC.", at=_moment(why["send_after"]))
            if why.get("send_after")
            else say("No quiet hours.")
        )
    because = {"quiet hours": say("quiet hours"), "sunday": say("Sunday")}.get(str(quiet), str(quiet))
    if not why.get("send_after"):
        return because
    return say("{because}: not before {at} UTC", because=because, at=_moment(why["send_after"]))


def _together(say: Say, why: Mapping[str, Any]) -> str:
    further = [
        say("{device} (finding {finding})", device=one["device"], finding=one["finding"])
        for one in why.get("together_with", ())
    ]
    if why.get("devices", 1) > 1:
        further.insert(0, say("{count} devices of the household in one letter", count=why["devices"]))
    return say(", ").join(further)


def _looked_at(say: Say, why: Mapping[str, Any]) -> str:
    names = {
        "mute": say("muted finding"),
        "planned_outage": say("planned outage"),
        "incident": say("incident of the region"),
        "worse_release": say("a worse release"),
        "campaign": say("recall or advisory"),
        "open_ticket": say("open ticket the customer knows of"),
        "fix_under_way": say("a fix on its way"),
        "hold_out": say("hold-out"),
    }
    return say(", ").join(names[one] for one in why.get("looked_at", ()) if one in names)


# -- a finding


def of_decision(say: Say, decision: Decision) -> list[Line]:
    """What the policy made of a finding at its last look, and why; of one that became nothing, why not."""
    why = decision.why
    lines = [
        (say("Outcome"), outcome(say, decision)),
        (say("Rule"), _rule(say, why, decision.policy_version) if decision.rule else ""),
        (say("What fitted"), matched(say, why)),
        (say("Expected cost"), cost(say, why)),
        (say("Held to the rule"), hysteresis(say, why)),
        (say("Notice"), remark(say, why)),
        *((rule, say("The {key} does not fit.", key=key_name(say, key))) for rule, key in why.get("tried", ())),
    ]
    return [(about, text) for about, text in lines if text]


def outcome(say: Say, decision: Decision) -> str:
    """What came of a finding."""
    why = decision.why
    told: Mapping[str, Any] = why.get("fix") or why.get("release") or {}
    sentences = {
        "acts": say("Its rule acts: {asks}.", asks=_asks(say, why.get("asks", ()))),
        "silent": say("Nothing comes of it for the time being: {why}.", why=silence(say, str(why.get("silence", "")))),
        "no_rule": say("No rule of the policy fits it."),
        "held": say(
            "It has not stood long enough for its rule; that acts from {at} UTC on.", at=_moment(why.get("until"))
        ),
        "costs": say("Acting costs more than the failure is expected to."),
        "waits_for_fix": say(
            "Release {version} mends it and is rolling out, but has not come to this device yet: waiting until {at} UTC.",
            version=told.get("version", ""),
            at=_moment(told.get("until")),
        ),
        "covered": say(
            "It is a symptom of release {version}, and goes into that release's ticket.",
            version=told.get("version", ""),
        ),
        "held_out": say("It is held out by a draw: nobody outside is told, to learn how often findings are right."),
    }
    return sentences.get(decision.outcome, decision.outcome)


def _asks(say: Say, asks: Sequence[str]) -> str:
    names = {
        "notice": say("notice to the customer"),
        "ticket": say("ticket"),
        "engineers": say("engineers' alert"),
        "pause_rollout": say("pause of the roll-out"),
    }
    return say(", ").join(names[one] for one in asks) if asks else say("nothing is asked for")


def silence(say: Say, told: str) -> str:
    """Why nothing comes of a finding for the time being."""
    what, _, rest = told.partition(": ")
    if what == "planned outage":
        return say("planned outage: {reason}", reason=rest)
    if told.startswith("part of incident "):
        return say("part of incident {number}", number=told.rpartition(" ")[2])
    known = {"muted": say("muted"), "test device": say("test device"), "removed device": say("removed device")}
    return known.get(told, told)


def remark(say: Say, why: Mapping[str, Any]) -> str:
    """What became of the notice that a rule asks for."""
    sentences = {
        "written": say("A notice about it was written."),
        "no_owner": say("None: nobody owns the device, as far as we know."),
        "told": say("None: the customer knows already; there is an open ticket about the same part."),
        "recent": say("Not yet: the customer had another notice about this device shortly before."),
        "campaign": say("None: the recall or advisory {reference} stands for it.", reference=why.get("campaign", "")),
        "closed": say("None: a person closed its ticket, and nothing since then is news."),
        "covered": say("None of its own: the release's update is offered instead."),
    }
    return sentences.get(str(why.get("notice", "")), "")


def _moment(at: Any) -> str:
    return datetime.fromisoformat(str(at)).strftime("%Y-%m-%d %H:%M") if at else "–"
