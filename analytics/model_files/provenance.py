"""What a model was made by: this code and the libraries that decide on its numbers."""

from __future__ import annotations

import platform
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hearthwatch import __version__

_COMMIT = re.compile(r"[0-9a-f]{40}")


def libraries() -> dict[str, str]:
    """Versions by the libraries' names."""
    return {name: _version(name) for name in ("numpy", "scikit-learn", "scipy")}


def provenance() -> dict[str, Any]:
    """For a model's card: the version of Hearthwatch, its commit where it runs from a checkout, Python and the libraries."""
    return {
        "hearthwatch": __version__,
        "commit": commit(Path(__file__).resolve().parents[2]),
        "python": platform.python_version(),
        "libraries": libraries(),
    }


@cache
def _version(name: str) -> str:
    return version(name)  # as installed: the library itself is not imported for it


@cache
def commit(folder: Path) -> str | None:
    """The commit that a checkout stands at, None where ``folder`` is none."""
    git = folder / ".git"
    try:
        head = (git / "HEAD").read_text(encoding="ascii").strip()
        if head.startswith("ref: "):
            head = (git / head.removeprefix("ref: ")).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return head if _COMMIT.fullmatch(head) else None
