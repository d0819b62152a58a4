"""The numbers under a finding about a release have names, and lead to the roll-out that was stopped."""

from __future__ import annotations

from api.pages.finding_figures import figures, rollout_link
from api.pages.language import Speaker
from hearthwatch.said import all_told

STOP = {
    "rollout": 3, "wave": 1, "devices": 40, "events": 35, "silent": 5, "unhealthy": 30, "share": 0.875, "allowed": 0.1,
    "hours": 31.0, "metrics": ["unexpected_reboots"], "reasons": ["35 of 40"], "said": all_told(["35 of 40"]),
}  # fmt: skip
WORSE = {
    "ratio": 2.5, "low": 1.6, "high": 4.0, "e": 310.0, "devices": 200, "control_devices": 1800, "events": 90,
    "control_events": 320, "hours": 9000.0, "assignment": "randomised",
}  # fmt: skip


def test_a_stop_tells_devices_failures_their_share_and_for_how_long() -> None:
    assert figures(Speaker("en"), STOP) == {
        "Wave of the roll-out": "1",
        "Devices that took it": "40",
        "Devices that failed": "35, of which 5 silent and 30 not healthy",
        "Share of failures": "87.5\N{NO-BREAK SPACE}%; at most 10.0\N{NO-BREAK SPACE}% may fail",
        "Watched for": "31 h",
    }
    assert rollout_link(STOP) == "/rollouts/3"


def test_a_verdict_of_the_watch_tells_both_arms() -> None:
    assert figures(Speaker("en"), WORSE) == {
        "Ratio, new over old": "2.50 (1.60 to 4.00)",
        "Devices, new and control": "200 / 1,800",
        "Events, new and control": "90 / 320",
        "Device-hours watched": "9,000",
        "Evidence e": "310",
    }
    assert rollout_link(WORSE) is None


def test_what_an_older_finding_does_not_have_is_not_made_up() -> None:
    assert figures(Speaker("en"), {"devices": 3, "reasons": ["why"]}) == {"Devices, new and control": "3 / –"}
    assert rollout_link({"rollout": "javascript:alert(1)"}) is None
