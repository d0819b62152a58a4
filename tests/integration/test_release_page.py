"""The page of a release as an engineer meets it: a real browser, a real server, looks old and new."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from api.pages import release as release_page
from hearthwatch.records import cohort_looks, releases, rollouts
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.database import Database
from hearthwatch.records.rollouts import Plan, Wave
from hearthwatch.values import Release
from tests.conftest import restore
from tests.integration.conftest import HOSTILE, PHONE, Server, opened
from tests.unit.alerts.world import NOON

HOURS = 48
LATE = {"e": 190.0, "threshold": 180.0, "needed": 1080.0, "since": "2026-04-30T00:00:00Z", "ratio": 5.0, "alarm": True}


@dataclass(frozen=True)
class Scene:
    """Three releases of a camera: one that reboots too often, one seen by an earlier version of the watch, one without a look."""

    url: str
    bad: Release
    old: Release
    fresh: Release

    def page_of(self, release: Release) -> str:
        return f"{self.url}/releases/{release.id}"


@pytest.fixture
def scene(server: Server) -> Scene:
    restore(server.database, server.empty)
    with server.database.transaction() as connection:
        old, bad, fresh = (
            releases.create(
                connection,
                model="camera-4",
                version=version,
                replaces=replaces,
                assignment="randomised",
                released_at=NOON - timedelta(hours=HOURS),
            )
            for version, replaces in (("4.1.0", None), ("4.2.0", "4.1.0"), ("4.2.1", "4.2.0"))
        )
        plan = Plan((Wave(1, 1.0, 1.0, 1, 0.5),))
        rollouts.create(connection, release_id=fresh.id, salt="s", plan=plan, by="ann", now=NOON)
    seen(server.database, bad, "unexpected_reboots", detailed(contributors=["cam-1", "cam-2", HOSTILE]), worse_at=10)
    seen(server.database, bad, "battery_drain", detailed(kind="mean", unit="% a day", late=True), worse_at=None)
    seen(server.database, old, "unexpected_reboots", lambda hour: {}, worse_at=None)
    return Scene(server.url, bad, old, fresh)


def detailed(
    *, kind: str = "rate", unit: str = "events", late: bool = False, contributors: Sequence[str] = ("cam-1",)
) -> Any:
    """What the watch writes beside each look."""

    def of(hour: int) -> dict[str, Any]:
        return {
            "kind": kind,
            "unit": unit,
            "direction": "more",
            "needed": 60.0,
            "margin": 1.05,
            "bounds": [1 / 1.1, 1.1] if kind == "mean" else [0.8, 1.25],
            "assignment": "randomised",
            "before": 1.04,
            "arms_differed": False,
            "arms_drifted": False,
            "first": [2.1, 0.9, 5.2],
            "unadjusted": [2.5, 1.5, 4.4],
            "adoption": [hour, 200],
            "decision": {"days": 3.5, "devices": 90, "says": "About four more days at this pace would settle it."},
            "late": LATE if late else None,
            "strata": [
                {"hardware": "r1", "region": "north", "ratio": 3.2, "devices": [9, 20], "events": [8, 5], "share": 0.7},
                {"hardware": "r2", "region": "north", "ratio": None, "devices": [2, 9], "events": [1, 0], "share": 0.1},
            ],
            "contributors": [
                {"device": device, "arm": "treatment", "events": 9.0, "expected": 1.25, "share": 0.2}
                for device in contributors
            ],
        }

    return of


def seen(database: Database, release: Release, metric: str, detail: Any, *, worse_at: int | None) -> None:
    """Hourly looks; from ``worse_at`` hours before the last one on the release is called worse."""
    looks = [
        CohortLook(
            release_id=release.id,
            metric=metric,
            at=NOON - timedelta(hours=HOURS - hour),
            verdict="worse" if worse_at is not None and HOURS - hour <= worse_at else "too_early",
            why=f"Devices on {release.version} do it 2.40 times as often. That is all.",
            e=math.exp(hour / 4 - 3),
            e_rate=2 * math.exp(hour / 4 - 3) if detail(hour) else None,
            e_first=math.exp(hour / 9) if detail(hour) else None,
            ratio=2.4 if hour > 5 else None,
            low=2.4 / (1 + 20 / hour) if hour else None,
            high=2.4 * (1 + 20 / hour) if hour > 5 else None,
            devices_treatment=hour,
            devices_control=200 - hour,
            hours_treatment=hour * 10.0,
            hours_control=hour * 40.0,
            events_treatment=hour / 2,
            events_control=hour / 1.5,
            detail=detail(hour),
        )
        for hour in range(HOURS + 1)
    ]
    with database.transaction() as connection:
        cohort_looks.append(connection, looks)


def watched(browser: Browser, url: str, size: Mapping[str, int] | None = None) -> tuple[Page, list[str]]:
    """A page, and what its console complains about."""
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    page = opened(browser, "about:blank", size or {"width": 1280, "height": 900})
    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    return page, complaints


def test_a_release_that_nobody_has_looked_at_says_when_that_will_be(scene: Scene, browser: Browser) -> None:
    page, complaints = watched(browser, scene.page_of(scene.fresh))
    expect(page.get_by_role("status").filter(has_text="Nothing is known about 4.2.1 yet")).to_be_visible()
    expect(page.get_by_text("No device has been seen on it.")).to_be_visible()
    assert page.get_by_role("link", name="Its roll-out").get_attribute("href") == "/rollouts/1"
    assert complaints == []


def test_looks_of_an_earlier_version_show_what_they_know(scene: Scene, browser: Browser) -> None:
    page, complaints = watched(browser, scene.page_of(scene.old))
    expect(page.get_by_text("It is too early to say whether 4.1.0 is worse than earlier firmware")).to_be_visible()
    expect(page.locator("canvas")).to_have_count(2)
    expect(page.get_by_text("48 devices were compared on it, 152 beside it.")).to_be_visible()
    page.get_by_text("How it was tested").click()
    expect(page.get_by_text("the time before the release can not be compared")).to_be_visible()
    assert complaints == []


def test_the_verdict_comes_first_and_the_gravest_metric_before_the_others(scene: Scene, browser: Browser) -> None:
    page, complaints = watched(browser, scene.page_of(scene.bad))
    says = page.get_by_role("status").filter(has_text="4.2.0 is worse than 4.1.0: unexpected reboots × 2.40")
    expect(says).to_contain_text("battery drain is not settled")
    expect(page.locator("section")).to_have_count(2)
    assert [one.get_attribute("id") for one in page.locator("section").all()] == ["unexpected_reboots", "battery_drain"]
    for image in (
        "Ratio to the control and its 95 % interval",
        "Evidence that it is worse",
        "Adoption; last 48 of 200",
    ):
        expect(page.get_by_role("img", name=image).first.locator("canvas")).to_be_visible()
    expect(page.get_by_text("Among all that is watched now it takes 60.").first).to_be_visible()
    expect(page.get_by_text("as good as the control (0.91 to 1.10)")).to_be_visible()
    expect(page.get_by_text("About four more days at this pace would settle it.").first).to_be_visible()
    expect(page.get_by_text("Perhaps: it looks worse since 2026-04-30 (× 5.00)")).to_have_count(1)
    expect(page.get_by_role("img", name="Evidence of a late regression")).to_have_count(1)
    assert complaints == []


def test_the_charts_draw_the_thresholds_the_bounds_and_the_margin(scene: Scene, browser: Browser) -> None:
    page, complaints = watched(browser, scene.page_of(scene.bad))
    evidence = drawn(page, "Evidence that it is worse")
    levels = {name: series["data"][-1][1] for name, series in evidence.items()}
    assert levels["e"] == pytest.approx(math.exp(9), rel=1e-3)
    assert {name: levels[name] for name in ("worse from", "watch list from", "20: chance 1 in 20")} == {
        "worse from": 60.0,
        "watch list from": 30.0,
        "20: chance 1 in 20": 20.0,
    }
    assert [one["name"] for one in evidence["e"]["markLine"]["data"]] == ["called worse"]
    ratio = drawn(page, "Ratio to the control and its 95 % interval")
    marked = {one["yAxis"] for one in ratio["ratio"]["markLine"]["data"] if "yAxis" in one}
    assert marked == {1.0, 1.05, 0.8, 1.25}
    widths = [high - low for low, high in zip(ends(ratio["lower end"]), ends(ratio["upper end"]), strict=True)]
    assert widths == sorted(widths, reverse=True), "the interval narrows"
    assert complaints == []


def drawn(page: Page, label: str) -> dict[str, Any]:
    """The series of the first chart with a label, as the browser draws them, by name."""
    chart = page.get_by_role("img", name=label).first
    expect(chart.locator("canvas")).to_be_visible()
    options = chart.evaluate("element => getElement(Number(element.id.slice(1))).chart.getOption()")
    return {series["name"]: series for series in options["series"]}


def ends(series: Mapping[str, Any]) -> list[float]:
    return [value for _, value in series["data"][6:]]


def test_on_a_phone_a_contributing_device_is_two_taps_away_and_its_name_harms_nobody(
    scene: Scene, browser: Browser
) -> None:
    page, complaints = watched(browser, scene.page_of(scene.bad), PHONE)
    page.get_by_text("Which devices move it").first.click()
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert "harmed" not in page.title()
    page.get_by_role("link", name=HOSTILE).click()
    expect(page.get_by_text("no such device")).to_be_visible()
    assert "harmed" not in page.title()
    assert complaints == []


def test_strata_and_tests_are_opened_from_the_keyboard(scene: Scene, browser: Browser) -> None:
    page, _ = watched(browser, scene.page_of(scene.bad))
    first = page.locator("section").first
    expect(
        first.get_by_role("cell", name="r1 · north"), "the strata of a metric that is worse are open"
    ).to_be_visible()
    tests = first.get_by_role("button", name="How it was tested")
    tests.focus()
    page.keyboard.press("Enter")
    expect(first.get_by_role("cell", name="First events of devices")).to_be_visible()
    expect(first.get_by_text("the same comparison gives × 1.04, which may be chance")).to_be_visible()


def test_an_open_page_tells_that_there_is_a_newer_look(
    scene: Scene, server: Server, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_page, "ASK_EVERY_S", 0.3)
    page, complaints = watched(browser, scene.page_of(scene.fresh))
    expect(page.get_by_text("Nothing is known about 4.2.1 yet")).to_be_visible()
    seen(server.database, scene.fresh, "unexpected_reboots", lambda hour: {}, worse_at=3)
    page.get_by_role("button", name="Show it").click()
    expect(page.get_by_text("4.2.1 is worse than 4.2.0")).to_be_visible()
    expect(page.get_by_role("button", name="Show it")).to_have_count(0)
    assert complaints == []


def test_the_releases_of_a_model_stand_side_by_side(scene: Scene, browser: Browser) -> None:
    page, _ = watched(browser, scene.page_of(scene.old))
    expect(page.get_by_text("worse × 2.40 (95 %: 1.69 to 3.40)")).to_be_visible()
    page.get_by_role("link", name="4.2.0", exact=True).click()
    expect(page).to_have_url(scene.page_of(scene.bad))
