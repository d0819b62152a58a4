"""A policy in words: each rule as a sentence of what it fits and what it does, and the limits around them."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.policy.file import Policy
from alerts.policy.rules import Rule
from api.policy_words import Line, Say, key_name, value_name

LISTS = ("kinds", "modes", "parts", "models", "device_classes", "safety_classes", "regions", "groups", "warranty")


def conditions(say: Say, rule: Rule) -> list[str]:
    """What a finding must be for a rule to fit."""
    found = [
        say("{key} is {values}", key=key_name(say, key), values=_any_of(say, key, getattr(rule, key)))
        for key in LISTS
        if getattr(rule, key)
    ]
    if rule.severity != "info":
        found.append(say("severity is at least {severity}", severity=say(rule.severity)))
    if rule.probability:
        found.append(say("probability is at least {probability}", probability=f"{rule.probability:.0%}"))
    if rule.hold_hours:
        found.append(say("it has stood for {hours} hours", hours=f"{rule.hold_hours:g}"))
    if rule.worth_it:
        found.append(say("acting is expected to cost less than the failure"))
    return found or [say("any finding")]


def _any_of(say: Say, key: str, values: Iterable[str]) -> str:
    return say(" or ").join(value_name(say, key, one) for one in values)


def consequences(say: Say, rule: Rule) -> list[str]:
    """What a rule does."""
    done = []
    if rule.notice:
        kinds = {
            "update": say("offers the customer the update"),
            "replacement": say("proposes the customer to replace the part"),
            "check_up": say("asks the customer for a check-up"),
        }
        notice, days = kinds[rule.notice], f"{rule.act_within_days:g}"
        if days == "1":
            done.append(say("{notice}, to be done within a day", notice=notice))
        else:
            done.append(say("{notice}, to be done within {days} days", notice=notice, days=days))
    if rule.all_channels:
        done.append(say("by all channels that the customer may be reached by, at once"))
    if rule.is_safety:
        done.append(say("as a matter of safety: neither budgets nor quiet hours nor a parent hold it back"))
    elif rule.urgent:
        done.append(say("urgently: neither budgets nor quiet hours hold it back"))
    if rule.ticket:
        done.append(say("opens a ticket"))
    if rule.engineers:
        done.append(say("alerts the engineers"))
    if rule.pause_rollout:
        done.append(say("pauses the roll-out"))
    return done or [say("nothing: findings that fit end here")]


def limits(say: Say, policy: Policy) -> list[Line]:
    """How much is sent and when, what waits for what, how costs are weighed."""
    return [
        (say("Household"), _household(say, policy)),
        (say("Whole fleet"), _fleet(say, policy)),
        (say("One letter"), _one_letter(say, policy)),
        (
            say("Second person"),
            say("a round with more than {count} notices waits for one", count=policy.notices.per_round),
        ),
        (say("Quiet times"), _quiet(say, policy)),
        (say("Waiting for a fix"), _fix(say, policy)),
        (say("Steadiness"), _steadiness(say, policy)),
        (say("Costs"), _costs(say, policy)),
        (say("Hold-out"), _hold_out(say, policy)),
    ]


def _household(say: Say, policy: Policy) -> str:
    return say("at most {count} notices within 30 days", count=policy.notices.per_household_and_month)


def _fleet(say: Say, policy: Policy) -> str:
    rate = policy.notices.per_1000_devices_and_week
    if rate is None:
        return say("no limit")
    return say(
        "at most {count} notices a week per 1,000 devices; the gravest go first, the others wait", count=f"{rate:g}"
    )


def _one_letter(say: Say, policy: Policy) -> str:
    text = say(
        "all that is found in a household goes into one letter; a device is the subject of one within {hours} hours",
        hours=f"{policy.notices.group_hours:g}",
    )
    gather = policy.notices.gather_hours
    return text + (say("; it waits {hours} hours for more", hours=f"{gather:g}") if gather else "")


def _quiet(say: Say, policy: Policy) -> str:
    hours, days = policy.quiet_hours, policy.holidays
    parts = []
    if hours.start != hours.end:
        parts.append(say("from {start} to {end} at the home", start=f"{hours.start:%H:%M}", end=f"{hours.end:%H:%M}"))
    if days.sundays:
        parts.append(say("Sundays"))
    if days.country:
        parts.append(say("holidays of {country}", country=days.country))
    parts += [say("in {region} holidays of {country}", region=one, country=code) for one, code in days.regions.items()]
    return say("; ").join(parts) or say("none")


def _fix(say: Say, policy: Policy) -> str:
    days = policy.suppression.wait_for_fix_days
    if not days:
        return say("never")
    return say(
        "what a release mends that is rolling out waits for it at most {days} days, unless it is critical",
        days=f"{days:g}",
    )


def _steadiness(say: Say, policy: Policy) -> str:
    return say(
        "a rule that held a finding lets go when the probability is {points} points below its line",
        points=f"{100 * policy.hysteresis.probability:g}",
    )


def _costs(say: Say, policy: Policy) -> str:
    costs = policy.costs
    text = say(
        "failure {failure}, notice {notice}, visit {visit}, false alarm {false_alarm} ({currency})",
        failure=f"{costs.failure:g}",
        notice=f"{costs.notice:g}",
        visit=f"{costs.visit:g}",
        false_alarm=f"{costs.false_alarm:g}",
        currency=costs.currency,
    )
    if costs.parts:
        text += say("; others for {parts}", parts=say(", ").join(say(part.replace("_", " ")) for part in costs.parts))
    if not any(rule.worth_it for rule in policy.rules):
        text += say("; no rule weighs them")
    return text


def _hold_out(say: Say, policy: Policy) -> str:
    share = policy.hold_out.share
    return say("{share} of findings", share=f"{share:.1%}") if share else say("off")
