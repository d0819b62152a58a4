"""What the API says about a release: its verdict in one sentence, its looks, and the same as a file."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from api.context import ApiContext
from api.levels import Bounds, bounds, levels
from api.look_view import DETAIL
from api.release_verdict import judged, late_says
from hearthwatch.records import cohort_looks, releases
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.database import Database
from hearthwatch.settings import Settings
from hearthwatch.telemetry import open_store
from hearthwatch.values import Release
from tests.records_rows import look_figures
from tests.unit.analytics.cohorts.scene import Scene
from tests.unit.api.conftest import Client

DAY = 24
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
RELEASE = Release(1, "camera-4", "4.2.0", "4.1.0", "randomised", (), NOON, "rolling", 1)


def look(metric: str, verdict: str, e: float = 1.0, **changes: Any) -> CohortLook:
    plain = CohortLook(
        release_id=1,
        **look_figures(metric, NOON, verdict, "As it is.", e, (20, 40), (200.0, 400.0), (9.0, 8.0)),
    )
    return replace(plain, **{"ratio": 2.4, "low": 1.2, "high": 4.8, **changes})


def says(*looks: CohortLook, release: Release = RELEASE) -> str:
    return judged(release, looks, Settings()).says


def test_before_the_first_look_nothing_is_claimed() -> None:
    verdict = judged(RELEASE, [], Settings())
    assert (verdict.verdict, verdict.at, verdict.metrics) == (None, None, [])
    assert verdict.says.startswith("Nothing is known about 4.2.0 yet")


def test_what_is_worse_is_said_first_and_what_is_open_is_not_hidden() -> None:
    said = says(look("sync_failures", "too_early", 15.0), look("unexpected_reboots", "worse", 900.0), look("x", "same"))
    assert (
        said
        == "4.2.0 is worse than 4.1.0: unexpected reboots × 2.40 (95 %: 1.20 to 4.80); sync failures is not settled."
    )


def test_devices_that_differ_are_no_verdict_on_the_release() -> None:
    said = says(*(look(metric, "confounded") for metric in ("a", "b", "c")), look("sync_failures", "better"))
    assert said.startswith("Whether 4.2.0 is worse than 4.1.0 can not be told from a, b and c, because the devices")


def test_while_it_is_too_early_what_speaks_most_against_it_is_named() -> None:
    plain = "It is too early to say whether 4.2.0 is worse than 4.1.0"
    assert says(look("went_silent", "too_early", 1.0, ratio=None)) == f"{plain}."
    assert says(look("unexpected_reboots", "too_early", 0.0)) == f"{plain}.", "no test may speak"
    quiet = look("unexpected_reboots", "too_early", 0.3)
    assert says(quiet) == f"{plain}; so far unexpected reboots × 2.40 (95 %: 1.20 to 4.80)."
    assert "most speaks against it in sync failures × 2.40" in says(
        look("unexpected_reboots", "too_early", 2.0), look("sync_failures", "too_early", 7.0)
    )


def test_a_metric_without_a_single_event_does_not_push_itself_forward() -> None:
    silent, reboots = look("went_silent", "too_early", 1.0, ratio=None), look("unexpected_reboots", "too_early", 0.2)
    verdict = judged(RELEASE, [silent, reboots], Settings())
    assert [one.look.metric for one in verdict.metrics] == ["unexpected_reboots", "went_silent"]


def test_a_ratio_that_could_be_any_number_says_so() -> None:
    assert "1.20 to any number" in says(look("went_silent", "worse", high=None))


def test_what_became_worse_late_is_told_by_what_it_is_since_and_not_by_the_good_time_before() -> None:
    late = {
        "e": 2000.0,
        "needed": 1080.0,
        "threshold": 180.0,
        "since": "2026-05-22T00:00:00Z",
        "ratio": 2.38,
        "alarm": True,
    }
    assert "unexpected reboots × 2.38 since 2026-05-22" in says(
        look("unexpected_reboots", "worse", low=0.9, detail={"late": late})
    )
    assert "× 2.40 (95 %: 1.20 to 4.80)" in says(look("unexpected_reboots", "worse", detail={"late": late}))


def test_the_detector_of_late_regressions_says_no_more_than_it_knows() -> None:
    late = {"e": 2000.0, "needed": 1080.0, "since": "2026-05-22T00:00:00Z", "ratio": 2.38, "alarm": True}

    def said(low: float, high: float, **changes: Any) -> str:
        return late_says(look("reboots", "worse", low=low, high=high, detail={"late": late | changes}))

    assert late_says(look("reboots", "too_early")) == ""
    assert said(0.9, 1.4, alarm=False).startswith("No: nothing suggests")
    assert said(0.9, 1.4) == "Yes: it is worse since 2026-05-22 (× 2.38) than the control in the same time."
    assert said(1.2, 1.8).startswith("Yes: it is worse since"), "worse than the whole time allows"
    assert said(1.2, 4.8) == "No: it is as bad since 2026-05-22 (× 2.38) as over the whole time."
    assert said(0.9, 1.4, whole=True).startswith("No: it is as bad"), "what was so from the beginning is not late"
    assert said(0.9, 1.4, e=200.0).startswith("Perhaps: it looks worse since 2026-05-22")


def test_only_where_all_is_settled_a_release_is_no_worse() -> None:
    assert says(look("a", "same"), look("b", "better")).startswith("4.2.0 is no worse than 4.1.0 in anything")
    assert "too early" in says(look("a", "same"), look("b", "too_early"))


def test_a_release_without_a_named_control_is_held_against_earlier_firmware() -> None:
    assert "worse than earlier firmware" in says(look("a", "worse"), release=replace(RELEASE, replaces=None))


def test_looks_without_levels_and_bounds_are_held_against_those_of_all() -> None:
    settings = Settings()
    assert levels({}, settings).page is None
    assert levels({}, settings).alone == 20.0
    assert bounds({}, settings) == Bounds(0.8, 1.25, settings.cohort_margin)


def test_where_less_is_worse_the_margin_lies_below_the_control() -> None:
    held = bounds({"direction": "less", "margin": 1.25, "bounds": [0.9, 1.1]}, Settings())
    assert held == Bounds(0.9, 1.1, 0.8)


def test_the_watch_list_asks_for_less_than_the_page() -> None:
    held = levels({"needed": 60.0}, Settings(cohort_page_fdr=0.1, cohort_watch_fdr=0.2))
    assert (held.page, held.watch) == (60.0, 30.0)


@pytest.fixture
def release(context: ApiContext) -> Release:
    """A release with two looks at each of two metrics; the reason of one begins like a formula."""
    with context.database.transaction() as connection:
        created = releases.create(connection, model="camera-4", version="4.2.0", replaces="4.1.0", released_at=NOON)
        for hours, verdict in ((0, "too_early"), (1, "worse")):
            at = NOON + timedelta(hours=hours)
            seen = [
                look("unexpected_reboots", verdict, 70.0, at=at, why="=1+1", detail={"needed": 60.0, "kind": "rate"}),
                look("sync_failures", "too_early", 80.0, at=at),
            ]
            cohort_looks.append(connection, [replace(one, release_id=created.id) for one in seen])
    return created


def test_an_unknown_release_has_neither_verdict_nor_looks(client: Client) -> None:
    for path in ("verdict", "looks", "looks.csv"):
        assert client("viewer").get(f"/api/v1/releases/77/{path}").status_code == 404


def test_the_verdict_has_the_gravest_metric_first_with_what_it_is_held_against(
    client: Client, release: Release
) -> None:
    body = client("viewer").get(f"/api/v1/releases/{release.id}/verdict").json()
    assert body["verdict"] == "worse"
    assert body["says"].startswith("4.2.0 is worse than 4.1.0: unexpected reboots")
    assert [one["look"]["metric"] for one in body["metrics"]] == ["unexpected_reboots", "sync_failures"]
    assert body["metrics"][0]["levels"] == {"alone": 20.0, "page": 60.0, "watch": 30.0}
    assert body["metrics"][0]["bounds"] == {"same_low": 0.8, "same_high": 1.25, "margin": 1.05}
    assert body["metrics"][1]["levels"]["page"] is None


def test_who_watches_asks_only_for_looks_that_are_new(client: Client, release: Release) -> None:
    path = f"/api/v1/releases/{release.id}/looks"
    assert len(client("viewer").get(path).json()["items"]) == 4
    newer = (
        client("viewer").get(path, params={"since": NOON.isoformat(), "metric": "unexpected_reboots"}).json()["items"]
    )
    assert [(one["verdict"], one["detail"]["needed"]) for one in newer] == [("worse", 60.0)]
    assert client("viewer").get(path, params={"since": "noon"}).status_code == 422


def test_pages_of_looks_put_together_are_all_looks_and_a_foreign_cursor_is_refused(
    client: Client, release: Release
) -> None:
    path = f"/api/v1/releases/{release.id}/looks"
    everything = client("viewer").get(path).json()
    assert everything["next"] is None
    found, cursor = [], None
    while True:
        asked = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = client("viewer").get(path, params=asked).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == everything["items"]
    assert client("viewer").get(path, params={"cursor": "bm9vbg"}).status_code == 422


def test_the_file_of_looks_runs_nothing_in_a_spreadsheet(client: Client, release: Release) -> None:
    answer = client("viewer").get(f"/api/v1/releases/{release.id}/looks.csv", params={"metric": "unexpected_reboots"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["verdict"] for row in rows] == ["too_early", "worse"]
    assert {row["why"] for row in rows} == {"'=1+1"}


def test_the_description_of_the_api_explains_every_key_of_the_detail(client: Client) -> None:
    described = client().get("/api/v1/openapi.json").json()["components"]["schemas"]["LookView"]["properties"]["detail"]
    Draft202012Validator.check_schema(described)
    for key in ("kind", "late", "decision", "strata", "contributors", "adoption", "needed", "before"):
        assert described["properties"][key]["description"]


def test_the_description_holds_for_what_the_watch_writes(database: Database) -> None:
    rng = np.random.default_rng(1)
    update = np.where(np.arange(120) < 60, 8 * DAY + rng.integers(0, 6, 120), 10**6)
    store = open_store("duckdb://")
    scene = Scene(store, database, update, rate=np.ones(120), ratio=2.0, days=20)
    scene.register()
    written = scene.release(8 * DAY)
    scene.play(0, 11 * DAY)
    scene.look(11 * DAY)
    store.close()
    with database.reading() as connection:
        looks = cohort_looks.latest(connection, [written.id])
    reboots = next(one for one in looks if one.metric == "unexpected_reboots")
    assert reboots.detail["strata"]
    assert reboots.detail["contributors"]
    assert reboots.detail["late"]
    for one in looks:
        assert set(one.detail) <= set(DETAIL["properties"])
        Draft202012Validator(DETAIL).validate(json.loads(json.dumps(dict(one.detail))))
