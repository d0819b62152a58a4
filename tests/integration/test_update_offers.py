"""Updates that owners accepted, through a real broker: told in the words of each convention, and judged by what the device reports."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from alerts.customers import installs, offers
from hearthwatch.records import customers, devices, findings, notices, releases, update_installs
from hearthwatch.records.notices import Wanted, cause_of
from hearthwatch.records.releases import Image
from hearthwatch.records.update_installs import UpdateInstall
from hearthwatch.values import Message, Notice, Observation
from tests.integration.scripted_devices import Answers, wait_until
from tests.integration.test_commands import BRIDGE, LAMP, PLUG, Scene, native, scene

__all__ = ["scene"]

OLD, NEW = "1.0.0", "2.0.0"
IMAGE = Image("https://fw.example.org/m/2.0.0.bin.gz", "cd" * 32)


def offered(scene: Scene, *ids: str, image: Image | None = IMAGE) -> list[Notice]:
    """Devices that run the old version, and a notice each that offers their owner the new one."""
    now = scene.clock.now()
    made = []
    with scene.database.transaction() as connection:
        customers.put_customer(connection, "c-1", name="Kim", channels=["mailbox://c-1"])
        releases.create(connection, model="M", version=NEW, fixes=["reboots"], released_at=now, image=image)
        for device in ids:
            devices.update(connection, device, None, {"model": "M", "firmware": OLD})
            customers.own(connection, device, "c-1", None, now)
            seen = Observation("anomaly", "device", device, "reboots", "critical", now, {"metrics": [], "reasons": []})
            finding = findings.observe(connection, seen, relapse=now - now)
            wanted = Wanted(
                cause=cause_of(finding_id=finding.id),
                device_id=device,
                customer_id="c-1",
                kind="update",
                occasion="",
                home_id=None,
                language="en",
                subject="An update",
                body="x",
                html="x",
                finding_id=finding.id,
            )
            written = notices.write(
                connection, wanted, state="sent", reason=None, send_after=now, policy_version=1, now=now
            )
            assert written is not None
            made.append(written)
    return made


def accept(scene: Scene, *offers_: Notice) -> None:
    for notice in offers_:
        with scene.database.transaction() as connection:
            offers.accept(connection, notice, scene.clock.now())
    scene.deliver()


def install(scene: Scene, device: str) -> UpdateInstall:
    with scene.database.reading() as connection:
        (one,) = update_installs.of_devices(connection, [device])
    return one


def runs(scene: Scene, device: str) -> None:
    """Wait until the device reported the new version, and look at its update."""
    wait_until(lambda: scene.device_row(device).version == NEW)
    installs.tend(scene.database, scene.clock.now())
    assert install(scene, device).state == "running"


def test_a_native_device_is_told_the_image_and_its_digest(scene: Scene) -> None:
    heard: list[dict[str, Any]] = []

    def take(said: dict[str, Any]) -> Answers:
        heard.append(said)
        return [("hearthwatch/v1/lock-1/reply", {"id": said["id"], "ok": True, "detail": {"state": "accepted"}})]

    with native(scene, "lock-1", take) as lock:
        accept(scene, *offered(scene, "lock-1"))
        wait_until(lambda: len(heard) == 1)
        assert {name: heard[0][name] for name in ("kind", "version", "url", "sha256")} == {
            "kind": "update",
            "version": NEW,
            "url": IMAGE.url,
            "sha256": IMAGE.sha256,
        }
        installs.tend(scene.database, scene.clock.now())
        assert install(scene, "lock-1").state == "sent", "its answer is not yet the version"
        lock.say([("hearthwatch/v1/lock-1/identity", {"model": "M", "fw": NEW})])
        runs(scene, "lock-1")


def test_a_tasmota_is_told_the_release_s_own_image_and_to_load_it(scene: Scene) -> None:
    plug = scene.device(
        "cmnd/plug/+", answer=lambda _said: [("stat/plug/RESULT", {"Upgrade": f"Version {OLD} from {IMAGE.url}"})]
    )
    plug.say([("tele/plug/LWT", "Online")])
    scene.knows("plug")
    accept(scene, *offered(scene, "plug"))
    wait_until(lambda: len(plug.heard) == 1)
    assert plug.heard[0].topic == "cmnd/plug/BACKLOG"
    assert plug.heard[0].payload == f"OtaUrl {IMAGE.url}; Upgrade 1".encode()
    plug.say([("tele/plug/INFO1", {"Info1": {"Module": "Plug", "Version": f"{NEW}(tasmota)"}})])
    runs(scene, "plug")


@pytest.mark.parametrize(("image", "params"), [(IMAGE, {"url": IMAGE.url}), (None, {"stage": "stable"})])
def test_a_shelly_is_told_where_the_image_is_or_else_the_stable_one(
    scene: Scene, image: Image | None, params: dict[str, str]
) -> None:
    asked: list[dict[str, Any]] = []

    def rpc(said: Message) -> Answers:
        call = msgspec.json.decode(said.payload)
        frame = {"id": call["id"], "src": PLUG, "dst": call["src"]}
        if call["method"] == "Shelly.GetDeviceInfo":
            return [(f"{call['src']}/rpc", {**frame, "result": {"id": PLUG, "fw_id": f"20260101-000000/{NEW}-gabc"}})]
        asked.append(call)
        return [(f"{call['src']}/rpc", {**frame, "result": None})]

    plug = scene.device(f"{PLUG}/rpc", answer=rpc)
    plug.say([(f"{PLUG}/online", "true")])
    scene.knows(PLUG)
    accept(scene, *offered(scene, PLUG, image=image))
    wait_until(lambda: len(asked) == 1)
    assert (asked[0]["method"], asked[0]["params"]) == ("Shelly.Update", params)
    if image is not None:
        scene.tend()
        scene.deliver()
        runs(scene, PLUG)


def test_two_lamps_of_one_zigbee_network_are_updated_one_after_the_other(scene: Scene) -> None:
    second = "0x000b57fffec6a5b3"
    heard: list[str] = []

    def described(*versions: str) -> Answers:
        rows = [{"ieee_address": BRIDGE, "type": "Coordinator", "friendly_name": "Coordinator"}]
        rows += [
            {"ieee_address": one, "type": "Router", "friendly_name": one, "software_build_id": version}
            for one, version in zip((LAMP, second), versions, strict=True)
        ]
        return [("zigbee2mqtt/bridge/devices", rows)]

    def take(said: Message) -> Answers:
        heard.append(msgspec.json.decode(said.payload)["id"])
        return []

    bridge = scene.device("zigbee2mqtt/bridge/request/device/ota_update/update", answer=take)
    bridge.say([*described(OLD, OLD), ("zigbee2mqtt/bridge/state", {"state": "online"})])
    scene.knows(LAMP)
    scene.knows(second)
    accept(scene, *offered(scene, LAMP, second, image=None))
    wait_until(lambda: len(heard) == 1)
    assert [install(scene, one).state for one in (LAMP, second)] == ["sent", "waiting"]
    bridge.say(described(NEW, OLD))
    runs(scene, LAMP)
    scene.deliver()
    wait_until(lambda: len(heard) == 2)
    assert heard == [LAMP, second]
