"""The compose file without Docker: its services are started here as it says, by the programs of this machine.

A container is a command line, an environment, files at fixed paths and names of other machines. The first two are taken as they are;
paths below the container's root lie in a scratch folder instead, and `name:port` of another service is a free port of 127.0.0.1.
Configuration files are copied with the same two replacements and nothing else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import free_port, needed

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docker-compose.yml"
IMAGE_INIT = "/opt/hearthwatch/init"
INFLUXD = "influxd-2.7.12"

_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::-([^}]*))?\}")


def compose_file(**variables: str) -> dict[str, Any]:
    """The file, with its variables filled in as Compose does it."""

    def fill(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else variables.get(match[1]) or match[2] or ""

    read: dict[str, Any] = filled(yaml.safe_load(FILE.read_text()), fill)
    return read


def filled(node: Any, fill: Any) -> Any:
    """Replace variables in the values; YAML's own structure stays as it is."""
    if isinstance(node, dict):
        return {key: filled(value, fill) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, fill) for value in node]
    return _VARIABLE.sub(fill, node) if isinstance(node, str) else node


def as_root() -> bool:
    """Whether services may be given the users of their containers."""
    return os.geteuid() == 0


def influxd_program() -> str:
    """The server that ``make services`` built."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return needed(INFLUXD, str(cache / "hearthwatch" / INFLUXD))


def postgres_programs() -> Path:
    """The folder of PostgreSQL's programs, the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return Path(needed("initdb", *(str(path) for path in reversed(found)))).resolve().parent


@dataclass(slots=True)
class Machine:
    """One run of the compose file in a scratch folder."""

    scratch: Path
    services: Mapping[str, Any] = field(default_factory=lambda: compose_file()["services"])
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def port(self, place: str) -> int:
        """The port here that stands for ``service:port`` of the file."""
        return self.ports.setdefault(place, free_port())

    def volume(self, name: str) -> Path:
        """The folder that stands for a named volume."""
        folder = self.scratch / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def paths(self, service: str) -> dict[str, Path]:
        """Where the paths that a service mounts are here."""
        mounted = {"/tmp": self.scratch / "tmp"}
        for line in self.services[service].get("volumes", ()):
            source, target = line.split(":")[:2]
            mounted[target] = self._copy(service, source) if source.startswith("./") else self.volume(source)
        mounted["/tmp"].mkdir(exist_ok=True)
        return mounted

    def here(self, service: str, text: str) -> str:
        """A text of the service with its paths, places and ports as they are here."""
        places = {**self.paths(service), IMAGE_INIT: ROOT / "deploy" / "init"}
        longest_first = "|".join(re.escape(target) for target in sorted(places, key=len, reverse=True))
        text = re.sub(rf"(?<![\w.])({longest_first})(?![\w.])", lambda match: str(places[match[0]]), text)
        return re.sub(
            r"(?<![\w.-])(mosquitto|influxdb|postgres):(\d+)", lambda match: f"127.0.0.1:{self.port(match[0])}", text
        )

    def environment(self, service: str) -> dict[str, str]:
        """The environment of a service."""
        wanted = {name: str(value) for name, value in self.services[service].get("environment", {}).items()}
        path = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return path | {name: self.here(service, value) for name, value in wanted.items()}

    def command(self, service: str) -> list[str]:
        """The command line of a service, of an image of ours with its entry point."""
        described = self.services[service]
        words = [*described.get("entrypoint", self._entry(service)), *described.get("command", [])]
        return self.programs([self.here(service, word) for word in words])

    def programs(self, words: Sequence[str]) -> list[str]:
        """The same command line with this machine's programs."""
        match words[0]:
            case "python":
                return [sys.executable, *words[1:]]
            case "hearthwatch":
                return [sys.executable, "-m", "hearthwatch", *words[1:]]
            case "influxd":
                return [influxd_program(), *words[1:]]
            case "postgres" | "pg_isready" | "initdb" | "psql":
                return [str(postgres_programs() / words[0]), *words[1:]]
            case program:
                return [needed(Path(program).name, program, f"/usr/sbin/{program}"), *words[1:]]

    def once(self, service: str, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a service that ends by itself."""
        return subprocess.run(
            [*self.command(service), *more],
            env=self.environment(service) | environment,
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    @contextmanager
    def up(
        self, service: str, *more: str, name: str = "", user: int | str | None = None, **environment: str
    ) -> Iterator[None]:
        """Run a service until the block ends, with ``more`` words. ``user`` runs it as another user where that is possible."""
        name = name or service
        log = (self.scratch / f"{name}.log").open("wb")
        other = user if as_root() else None
        process = subprocess.Popen(
            [*self.command(service), *more],
            env=self.environment(service) | environment,
            cwd=ROOT,
            stdout=log,
            stderr=log,
            user=other,
            group=other,
            extra_groups=None if other is None else [],
        )
        self.running[name] = process
        try:
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()
            process.wait()
            log.close()

    def log(self, name: str) -> str:
        """What a service printed."""
        return (self.scratch / f"{name}.log").read_text(errors="replace")

    def health(self, service: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the health check of the file once."""
        kind, *words = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        return subprocess.run(
            self.programs([self._own_port(service, self.here(service, word)) for word in words]),
            env=self.environment(service) | environment,
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )

    def _own_port(self, service: str, text: str) -> str:
        """A container asks itself at the port it has inside."""
        return re.sub(
            r"http://127\.0\.0\.1:(\d+)", lambda m: f"http://127.0.0.1:{self.port(f'{service}:{m[1]}')}", text
        )

    def _entry(self, service: str) -> list[str]:
        return ["hearthwatch"] if self.services[service]["image"].startswith("hearthwatch:") else []

    def _copy(self, service: str, source: str) -> Path:
        """A file or folder of the repository as the container sees it; its paths are replaced when it is read by a program."""
        target = self.scratch / "files" / service / Path(source).name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, target)
        return target
