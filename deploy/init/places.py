"""Who reads which secrets: one folder for each service, in a volume of its own that no other service mounts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/secrets")
OURS = 10001
"""User and group of our own image."""

OWNERS = {
    "authority": 0,  # the key that signs the broker's certificate; no service mounts it
    "mosquitto": 1883,
    "influxdb": 1000,
    "postgres": 999,
    "hearthwatch": OURS,
    "grafana": 472,
    "prometheus": 65534,
}
"""The user that each published image runs as."""

SHARED = frozenset({"grafana", "prometheus"})
"""Folders to which the second step adds tokens; it runs as our own user."""

PLATFORM_USER = "hearthwatch"
HEALTH_USER = "health"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of secrets below ``root``. Owners are set only by root: elsewhere everything belongs to whoever runs this."""

    root: Path = ROOT

    def folder(self, service: str) -> Path:
        """The folder of one service, made when it is missing."""
        folder = self.root / service
        folder.mkdir(parents=True, exist_ok=True)
        shared = service in SHARED
        self._own(folder, service, 0o770 if shared else 0o700, OURS if shared else None)
        return folder

    def write(self, service: str, name: str, content: str, mode: int = 0o400) -> Path:
        """Write a secret in one step: a reader sees the old file or the new one."""
        path = self.folder(service) / name
        fresh = path.with_name(f".{name}.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content)
        self._own(fresh, service, mode)
        fresh.replace(path)
        return path

    def read(self, service: str, name: str) -> str | None:
        """A secret, or None where there is none yet."""
        path = self.root / service / name
        return path.read_text().strip() if path.is_file() else None

    def _own(self, path: Path, service: str, mode: int, group: int | None = None) -> None:
        if (
            os.geteuid() == 0
        ):  # Docker makes volumes as root; a later step or a test may be anybody, and owns what it makes
            owner = OWNERS[service]
            os.chown(path, owner, owner if group is None else group)
        if path.stat().st_uid == os.geteuid() or os.geteuid() == 0:
            path.chmod(mode)
