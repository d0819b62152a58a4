"""Backtests over HTTP: engineers upload and start, viewers read, and no name leads out of the folder for histories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.context import ApiContext
from hearthwatch.records import audit, backtests
from hearthwatch.settings import Settings

Client = Callable[..., TestClient]
MAPPING = b'[columns]\ndevice = "id"\nat = "day"\n[failures]\ncolumn = "failed"\n'


@pytest.fixture
def shelf(app: FastAPI, context: ApiContext, tmp_path: Path) -> Path:
    """The folder for histories, with one in it."""
    folder = tmp_path / "shelf"
    drives = folder / "drives"
    drives.mkdir(parents=True)
    (drives / "mapping.toml").write_bytes(MAPPING)
    (drives / "a.csv").write_text("id,day,failed\nd1,2026-01-01,0\n")
    settings = Settings(history_dir=folder, history_upload_bytes=1000)
    app.state.context = replace(context, settings=settings)
    return folder


# -- what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "folder", ["..", "../drives", "/etc", "drives/../../x", ".hidden", "a b", "drives/", "", "x\x00y", "<img src=x>"]
)
def test_a_name_that_could_lead_out_of_the_shelf_is_refused(client: Client, shelf: Path, folder: str) -> None:
    answer = client("engineer").post("/api/v1/backtests", json={"folder": folder})
    assert answer.status_code == 422, answer.text


def test_links_are_not_followed_wherever_they_stand(client: Client, shelf: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mapping.toml").write_bytes(MAPPING)
    (shelf / "link").symlink_to(outside)
    (shelf / "drives" / "deep").mkdir()
    engineer = client("engineer")
    linked = engineer.post("/api/v1/backtests", json={"folder": "link"})
    assert linked.status_code == 422
    assert "symbolic link" in linked.json()["detail"]
    (shelf / "drives" / "deep" / "b.csv").symlink_to("/etc/passwd")
    inside = engineer.post("/api/v1/backtests", json={"folder": "drives"})
    assert inside.status_code == 422
    assert "drives/deep/b.csv is a symbolic link" in inside.json()["detail"]
    assert engineer.put("/api/v1/history/link/c.csv", content=b"x").status_code == 422
    assert not (outside / "c.csv").exists()
    assert [one["folder"] for one in engineer.get("/api/v1/history").json()["items"]] == ["drives"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"folder": "nowhere"}, 404, "no folder 'nowhere'"),
        ({"folder": "drives", "mapping": "other.toml"}, 404, "no mapping file"),
        ({"folder": "drives", "mapping": "../secret.toml"}, 422, "not the name of a mapping file"),
        ({"folder": "drives", "mapping": "a.csv"}, 422, "not the name of a mapping file"),
        ({"folder": "drives", "horizon_days": 0}, 422, "horizon_days"),
    ],
)
def test_what_can_not_be_asked_is_said(
    client: Client, shelf: Path, body: dict[str, Any], status: int, said: str
) -> None:
    answer = client("engineer").post("/api/v1/backtests", json=body)
    assert answer.status_code == status
    assert said in answer.text


def test_a_mapping_that_is_none_is_named_before_anything_is_worked(client: Client, shelf: Path) -> None:
    (shelf / "drives" / "mapping.toml").write_text('[columns]\ndevice = "id"\n')
    answer = client("engineer").post("/api/v1/backtests", json={"folder": "drives"})
    assert answer.status_code == 422
    assert "columns.at" in answer.text


def test_a_folder_with_two_mappings_asks_which(client: Client, shelf: Path) -> None:
    (shelf / "drives" / "second.toml").write_bytes(MAPPING)
    answer = client("engineer").post("/api/v1/backtests", json={"folder": "drives"})
    assert answer.status_code == 422
    assert "mapping.toml, second.toml" in answer.json()["detail"]
    assert client("engineer").post("/api/v1/backtests", json={"folder": "drives", "mapping": "second.toml"}).is_success


@pytest.mark.parametrize("role", ["viewer", "agent", None])
def test_only_engineers_upload_and_start(client: Client, shelf: Path, role: str | None) -> None:
    other = client(role)
    wanted = 401 if role is None else 403
    assert other.post("/api/v1/backtests", json={"folder": "drives"}).status_code == wanted
    assert other.put("/api/v1/history/drives/b.csv", content=b"x").status_code == wanted
    assert not (shelf / "drives" / "b.csv").exists()


@pytest.mark.parametrize("name", ["..%2Fb.csv", "b.exe", ".b.csv", "b%20c.csv", "b.csv.part"])
def test_only_files_of_a_history_are_taken(client: Client, shelf: Path, name: str) -> None:
    answer = client("engineer").put(f"/api/v1/history/drives/{name}", content=b"x")
    assert answer.status_code in {404, 422}
    assert sorted(path.name for path in shelf.rglob("*")) == ["a.csv", "drives", "mapping.toml"]


def test_no_more_is_taken_than_the_settings_say(client: Client, shelf: Path) -> None:
    answer = client("engineer").put("/api/v1/history/big/b.csv", content=b"x" * 990)
    assert answer.status_code == 422
    assert "history_upload_bytes" in answer.text
    assert not (shelf / "big").exists()


def test_a_piece_that_does_not_go_on_from_what_is_there_is_a_conflict(client: Client, shelf: Path) -> None:
    engineer = client("engineer")
    assert engineer.put("/api/v1/history/new/b.csv?last=false", content=b"id,day\n").is_success
    answer = engineer.put("/api/v1/history/new/b.csv?offset=3", content=b"d1,2026-01-01\n")
    assert answer.status_code == 409
    assert not (shelf / "new" / "b.csv").exists()


# -- what is done ------------------------------------------------------------------------------------------------------------


def test_a_file_comes_in_pieces_and_is_there_with_the_last(client: Client, shelf: Path, context: ApiContext) -> None:
    engineer = client("engineer")
    first = engineer.put("/api/v1/history/new/b.csv?last=false", content=b"id,day\n").json()
    assert first == {"folder": "new", "name": "b.csv", "bytes": 7, "whole": False}
    assert engineer.get("/api/v1/history").json()["items"][1]["files"] == 0
    engineer.put("/api/v1/history/new/b.csv?offset=7", content=b"d1,2026-01-01\n")
    assert (shelf / "new" / "b.csv").read_bytes() == b"id,day\nd1,2026-01-01\n"
    with context.database.reading() as connection:
        noted = [one.action for one in audit.list_entries(connection)]
    assert noted == ["history.upload"]


def test_one_waits_is_read_by_viewers_and_can_be_started_again_when_it_has_ended(
    client: Client, shelf: Path, context: ApiContext
) -> None:
    asked = (
        client("engineer").post("/api/v1/backtests", json={"folder": "drives", "cut": "2026-01-05T00:00:00Z"}).json()
    )
    assert (asked["state"], asked["mapping"], asked["horizon_days"]) == ("waiting", MAPPING.decode(), 7)
    where = f"/api/v1/backtests/{asked['id']}"
    report = {"answer": {"foretold": 2}, "quality": {"remarks": [remark("=cmd|' /C calc'!A0")]}}
    with context.database.transaction() as connection:
        backtests.take(connection, context.clock.now(), "a")
        backtests.finish(connection, asked["id"], "a", context.clock.now(), state="done", report=report)
    viewer = client("viewer")
    read = viewer.get(where)
    assert read.json()["report"] == report
    (row,) = viewer.get("/api/v1/backtests").json()["items"]
    assert (row["answer"], row["state"]) == ({"foretold": 2}, "done")
    assert "mapping" not in row
    cells = viewer.get(f"{where}/remarks.csv").text
    assert "'=cmd" in cells
    assert ",=cmd" not in cells
    assert viewer.post(f"{where}/again").status_code == 403
    again = client("engineer").post(f"{where}/again", headers={"If-Match": read.headers["ETag"]})
    assert (again.json()["state"], again.json()["report"]) == ("waiting", None)
    assert client("engineer").post(f"{where}/again").status_code == 409


def remark(example: str) -> dict[str, Any]:
    """Something odd about the data, whose example came out of a cell."""
    return {"kind": "unreadable_value", "count": 1, "said": "1 time a value", "done": "left out", "example": example}
