"""The getting-started page cannot rot: its commands are run as they stand there, each reader's in an empty folder, in one shell.

Blocks marked ``sh`` must succeed, ``sh stays`` keeps running beside the rest, ``python NAME`` and ``toml NAME`` are files the reader saves.
Only the ports are others: 1883 and 8080 may be taken on a machine that runs tests.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.conftest import free_port, needed

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, CHINESE = DOCS / "getting-started.md", DOCS / "getting-started.zh-CN.md"
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DONE = "##done"

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the second word of its fence, and its text."""

    language: str
    mark: str
    text: str


def blocks(page: Path, *sections: str) -> Sequence[Block]:
    """The blocks of the sections whose headings begin so, in the order of the page; of all sections when none is named."""
    parts = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    wanted = [part for part in parts if not sections or part.startswith(sections)]
    assert len(wanted) >= len(sections)
    return [Block(*match.groups()) for part in wanted for match in BLOCK.finditer(part)]


class Reader:
    """A person at a shell in an empty folder, who does what the page says."""

    def __init__(self, folder: Path, broker: int, pages: int) -> None:
        self.folder, self.broker, self.pages = folder, broker, pages
        for client in ("mosquitto_pub", "mosquitto_sub"):  # their default port
            (folder / ".config").mkdir(exist_ok=True)
            (folder / ".config" / client).write_text(f"-p {broker}\n")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HEARTHWATCH_")}
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env={
                **kept,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin",
                "XDG_CONFIG_HOME": str(folder / ".config"),
                "HEARTHWATCH_PORT": str(pages),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._say("trap 'echo \"##failed: $BASH_COMMAND\"' ERR")

    def follow(self, block: Block) -> str:
        """Do what a block says; returns what the shell printed."""
        text = block.text.replace("1883", str(self.broker)).replace(":8080", f":{self.pages}")
        if block.language == "text":  # typed elsewhere, or shown
            return ""
        if block.language in {"python", "toml"}:
            (self.folder / block.mark).write_text(text)
            return ""
        if block.mark == "stays":
            (log := self.folder / "logs").mkdir(exist_ok=True)
            return self._say(f"( exec {text.strip()} ) > {log}/{len(list(log.iterdir()))}.txt 2>&1 &")
        printed = self._say(text)
        assert "##failed" not in printed, f"{text}\n{printed}\n{self.logs()}"
        return printed

    def logs(self) -> str:
        """What the programs that keep running have printed."""
        return "\n".join(log.read_text()[-2000:] for log in sorted(self.folder.glob("logs/*.txt")))

    def _say(self, text: str) -> str:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{text}\nprintf '\\n%s\\n' '{DONE}'\n")
        self._shell.stdin.flush()
        printed: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(DONE):
                return "".join(printed)
            printed.append(line)
        pytest.fail(f"the shell ended: {''.join(printed)}")

    def leave(self) -> None:
        """End the shell and everything it started."""
        os.killpg(self._shell.pid, signal.SIGTERM)
        self._shell.communicate(timeout=30)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    sitting = Reader(tmp_path, free_port(), free_port())
    yield sitting
    sitting.leave()


def wait_until(happened: Callable[[], bool], reader: Reader, what: str) -> None:
    pause = threading.Event()
    for _ in range(600):
        if happened():
            return
        pause.wait(0.1)
    pytest.fail(f"{what}\n{reader.logs()}")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def found(reader: Reader, path: str) -> list[dict[str, object]]:
    answer = httpx.get(f"http://127.0.0.1:{reader.pages}/api/v1{path}", timeout=30)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


def follow_with_patience(reader: Reader, page: Sequence[Block]) -> dict[str, str]:
    """All blocks in turn, waiting where a person would for a program to come up; what was printed, by the block's first line."""
    printed = {}
    for block in page:
        printed[block.text.split("\n", 1)[0]] = reader.follow(block)
        if block.text.startswith("mosquitto -c"):
            wait_until(lambda: listens(reader.broker), reader, "the broker does not listen")
        if block.text.startswith("hearthwatch up"):
            wait_until(lambda: is_healthy(reader.pages), reader, "the platform is not healthy")
        if block.text.startswith("hearthwatch sim"):
            wait_until(lambda: len(found(reader, "/devices")) >= 20, reader, "the simulated devices are not known")
    return printed


def test_who_has_devices_or_makes_them_gets_there_with_the_commands_of_the_page(reader: Reader) -> None:
    needed("mosquitto", "/usr/sbin/mosquitto")
    needed("mosquitto_pub")
    needed("curl")
    device_readers = ("A broker and the platform", "I have Tasmota", "I make devices")
    printed = follow_with_patience(reader, blocks(PAGE, *device_readers))
    decoded = printed["mosquitto_sub -t '#' -F '%j' -C 10 | hearthwatch decode"]
    assert '"convention":"tasmota"' in decoded
    assert '"power_w": 61.0' in printed[next(first for first in printed if first.startswith('echo \'{"ENERGY"'))]
    lamp = next(device for device in found(reader, "/devices?model=lamp-1"))
    assert (lamp["id"], lamp["hardware"], lamp["version"]) == ("lamp-0001", "r2", "2.4.1")
    assert [release["version"] for release in found(reader, "/releases?model=lamp-1")] == ["2.4.2"]
    assert [customer["id"] for customer in found(reader, "/customers?q=Ana")] == ["c-17"]
    assert [policy["mode"] for policy in found(reader, "/policies")] == ["live"]
    a_zigbee_device_is_known_by_its_address(reader)


def a_zigbee_device_is_known_by_its_address(reader: Reader) -> None:
    sensor = {"ieee_address": "0x00158d0001a2b3c4", "type": "EndDevice", "friendly_name": "hall sensor"}
    listed = [{"ieee_address": "0x00124b0001020304", "type": "Coordinator", "friendly_name": "Coordinator"}, sensor]
    said = '{"temperature": 21.4, "battery": 93, "linkquality": 255, "state": "ON"}'
    reader.follow(Block("sh", "", f"mosquitto_pub -q 1 -r -t zigbee2mqtt/bridge/devices -m '{json.dumps(listed)}'"))
    reader.follow(Block("sh", "", f"mosquitto_pub -q 1 -t 'zigbee2mqtt/hall sensor' -m '{said}'"))
    wait_until(lambda: bool(window_of_the_sensor(reader)), reader, "the Zigbee device is not known")
    assert window_of_the_sensor(reader) == {"temperature_c": 21.4, "battery_pct": 93.0, "link_quality_pct": 100.0}


def window_of_the_sensor(reader: Reader) -> dict[object, object]:
    devices = found(reader, "/devices?q=00158d0001a2b3c4")
    if not devices:
        return {}
    today = datetime.now(UTC)
    since, until = (f"{today + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (-1, 1))
    rows = found(reader, f"/devices/{devices[0]['id']}/window?since={since}&until={until}")
    return {row["metric"]: row["value"] for row in rows if row["metric"] != "relay_on"}


def test_who_has_history_gets_there_with_the_commands_of_the_page(reader: Reader) -> None:
    write_history(reader.folder / "history")
    printed = follow_with_patience(reader, blocks(PAGE, "I have history"))
    asked = printed["hearthwatch backtest history --mapping mapping.toml --horizon 7d"]
    assert "would have been foretold" in asked
    assert "worse" in asked
    assert "battery" in printed["hearthwatch import history --mapping mapping.toml"]


def write_history(folder: Path) -> None:
    """Files as the page describes them: 150 devices, 180 days, batteries that fade before they fail, and one firmware that empties them."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    days = np.datetime64("2025-01-01") + np.arange(180)
    bad = np.arange(150) < 60
    fails = np.where(rng.random(150) < np.where(bad, 0.85, 0.25), rng.integers(12, 178, 150), 999)
    reconnects = np.zeros(150, dtype=int)
    with (folder / "readings-2025.csv").open("w") as file:
        file.write("serial,day,model,firmware,battery_volts,reconnects\n")
        for number, day in enumerate(days):
            reconnects += rng.poisson(0.3, 150)
            for device in np.flatnonzero(fails >= number).tolist():
                volts = 6.0 - 0.09 * max(0, 12 - (fails[device] - number)) + rng.normal(0, 0.02)
                firmware = "1.1.0" if bad[device] else "1.0.0"
                file.write(f"S{device:03d},{day},lock-1,{firmware},{volts:.3f},{reconnects[device]}\n")
    with (folder / "failures.csv").open("w") as file:
        file.write("serial,failed_on,part\n")
        for device in np.flatnonzero(fails < 180).tolist():
            file.write(f"S{device:03d},{days[fails[device]]},battery\n")


def test_the_first_block_is_how_everybody_installs_it() -> None:
    (install,) = blocks(PAGE, "Install")
    assert (install.language, install.mark) == ("sh", "install")
    assert install.text.startswith("make install\n")


@pytest.mark.parametrize("page", [PAGE, CHINESE], ids=["en", "zh-CN"])
def test_every_link_of_the_page_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert targets
    headings = {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    }
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("http"):
            assert (page.parent / target.split("#")[0]).exists(), target
