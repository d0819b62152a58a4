"""The notebooks run from top to bottom without a warning, lie in the repository without outputs, and are named where a reader looks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
CELL_SECONDS = 600

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


def test_they_lie_in_the_repository_without_outputs() -> None:
    stripping = subprocess.run(
        [sys.executable, "-m", "nbstripout", "--verify", *map(str, NOTEBOOKS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert stripping.returncode == 0, f"run: make notebooks-strip\n{stripping.stdout}{stripping.stderr}"


@each_notebook
def test_the_readme_of_the_notebooks_names_it(path: Path) -> None:
    assert f"({path.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")


@each_notebook
@pytest.mark.timeout(1200)
def test_a_notebook_runs_from_top_to_bottom_without_a_warning(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The kernel "python3" of the running environment, wherever that is; nothing is written into the reader's home.
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    monkeypatch.delenv("HEARTHWATCH_DATA", raising=False)  # with real drives it takes minutes; other tests read those
    notebook = read(path)
    NotebookClient(
        notebook, timeout=CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    told = [
        f"cell {number}: {output['text']}"
        for number, cell in enumerate(notebook.cells)
        for output in cell.get("outputs", ())
        if output["output_type"] == "stream" and output["name"] == "stderr"
    ]
    assert not told, "\n".join(told)
    assert pictures(notebook), "a notebook without a picture"


def pictures(notebook: Any) -> list[str]:
    return [
        output["data"]["image/png"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
