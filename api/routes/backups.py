"""Backups made by the platform itself: while it runs, nobody else can read its embedded stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from api.context import Context
from api.security import Admin
from hearthwatch.errors import Missing

router = APIRouter(tags=["system"])


@router.post("/backups", status_code=201)
def make_backup(context: Context, caller: Admin) -> Mapping[str, Any]:
    """Write both stores into one file in `data_dir/backups`, which is readable by the platform's own user alone, and name it.

    It is never sent over the network: it holds the customers' data, hashes of passwords, and the key that signs sessions and links.
    """
    if context.backup is None:
        raise Missing("this process makes no backups")
    return context.backup(caller.name)
