"""The list of erasures as a file, which is kept where backups are."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from hearthwatch.errors import Invalid
from hearthwatch.records.erasures import Erasure


def read_erasures(file: Path) -> list[Erasure]:
    """What ``hearthwatch customer erasures --json`` wrote. Raises `Invalid` for anything else."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))["erasures"]
        return [
            Erasure(
                0, str(one["customer_id"]), datetime.fromisoformat(one["at"]), str(one["by"]), str(one["reason"]), {}
            )
            for one in told
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Invalid(f"not what customer erasures --json writes: {error}", where=str(file)) from None
