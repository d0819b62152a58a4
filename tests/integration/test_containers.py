"""What the container files say, checked without Docker: their form, and that they hold together."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.compose import FILE, ROOT, compose_file
from tests.conftest import needed

SERVICES: dict[str, Any] = compose_file()["services"]
ONCE = {"init", "setup"}
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("hearthwatch:")}
ROLES = OURS - ONCE


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, check=False, capture_output=True, text=True, cwd=ROOT, timeout=60)


def tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def test_the_compose_file_follows_the_compose_specification() -> None:
    checked = run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(FILE))

    assert checked.returncode == 0, checked.stdout


def test_the_dockerfile_passes_hadolint() -> None:
    checked = run(tool("hadolint"), "Dockerfile")

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    "script", ["requirements/services.sh", "requirements/influxd/build.sh", "deploy/mosquitto/add-device.sh"]
)
def test_shell_scripts_pass_shellcheck(script: str) -> None:
    checked = run(needed("shellcheck"), script)

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_service_runs_with_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service.get("cap_add", ())) <= ({"CHOWN", "DAC_OVERRIDE", "FOWNER"} if name == "init" else set())
    assert service["logging"]["options"]["max-size"]
    if name == "init":  # the only one that is root: it has no network
        assert service["network_mode"] == "none"
    elif name not in OURS:  # ours has its user in the image
        assert not service["user"].startswith("0:")


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONCE))
def test_every_service_that_stays_has_a_health_check_and_is_restarted(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_services_wait_for_what_they_need() -> None:
    for name in ROLES:
        waits = {other: how["condition"] for other, how in SERVICES[name]["depends_on"].items()}
        assert waits == {
            "setup": "service_completed_successfully",
            "mosquitto": "service_healthy",
            "influxdb": "service_healthy",
            "postgres": "service_healthy",
        }


def test_only_encrypted_mqtt_is_open_to_other_machines() -> None:
    published = {port for service in SERVICES.values() for port in service.get("ports", ())}

    assert {port for port in published if not port.startswith("127.0.0.1:")} == {"8883:8883"}


def test_services_that_are_scaled_own_no_name_and_no_port() -> None:
    for name in ("ingest", "jobs"):
        assert not {"container_name", "hostname", "ports"} & set(SERVICES[name])


def test_every_named_volume_and_network_is_declared_and_used() -> None:
    whole = compose_file()
    mounts = {line.split(":")[0] for service in SERVICES.values() for line in service.get("volumes", ())}
    networks = {network for service in SERVICES.values() for network in service.get("networks", ())}

    assert {mount for mount in mounts if not mount.startswith("./")} == set(whole["volumes"])
    assert networks == set(whole["networks"])
    assert all((ROOT / mount).exists() for mount in mounts if mount.startswith("./"))


def test_a_service_mounts_no_secrets_but_its_own() -> None:
    for name, service in SERVICES.items():
        held = {line.split(":")[0] for line in service.get("volumes", ()) if line.startswith("secrets-")}
        if name == "init":
            continue
        expected = {f"secrets-{'hearthwatch' if name in OURS else name}"}
        assert held == (expected | {"secrets-grafana", "secrets-prometheus"} if name == "setup" else expected)


def test_no_password_stands_in_the_file() -> None:
    for name, service in SERVICES.items():
        for option, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|TOKEN|SECRET(?!S_DIR)", option):
                assert str(value).startswith("/run/secrets/"), f"{name}: {option}"
            assert not re.search(r"://[^/@]+:[^/@]+@", str(value)), f"{name}: {option}"


def test_settings_of_our_roles_are_settings_that_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from hearthwatch.settings import load_settings

    for name in sorted(ROLES | {"setup"}):
        for option, value in SERVICES[name]["environment"].items():
            monkeypatch.setenv(option, str(tmp_path) if option == "HEARTHWATCH_SECRETS_DIR" else value)
        assert load_settings().telemetry_address.startswith("influxdb://")


# -- the image


def instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text()))
    lines = [line for line in joined.splitlines() if line.strip()]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_image_ends_as_a_user_without_rights_and_knows_its_health() -> None:
    final = instructions()[[at for at, (word, _) in enumerate(instructions()) if word == "FROM"][-1] :]
    said = {word: rest for word, rest in final if word != "COPY"}

    assert said["USER"] == "10001:10001"
    assert said["STOPSIGNAL"] == "SIGTERM"
    assert said["VOLUME"] == "/var/lib/hearthwatch"
    assert '["python", "/opt/hearthwatch/init/healthy.py"]' in said["HEALTHCHECK"]
    assert said["ENTRYPOINT"] == '["hearthwatch"]'
    assert not any("pip" in rest or "apt" in rest for _, rest in final), "the final stage installs nothing"


def test_everything_that_the_image_copies_is_in_the_build_context() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]

    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert source in allowed, f"{source} is kept out by .dockerignore"


def test_the_image_installs_only_what_is_locked() -> None:
    installs = [
        part for word, rest in instructions() if word == "RUN" for part in rest.split("&&") if " install " in part
    ]
    pip = [part for part in installs if "-m pip" in part]

    assert len(pip) == 3
    for part in pip:
        assert "--require-hashes" in part or ("--no-deps" in part and "/wheel/" in part)
        assert "--no-cache-dir" in part


def test_the_steps_of_the_image_make_a_wheel_that_works(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from") and not rest.endswith("/opt/hearthwatch/init"):
            *names, target = rest.split()
            for name in names:
                place = source / target / Path(name).name if target.endswith("/") else source / target
                place.parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, place)
    build = next(rest.split("&&")[0] for word, rest in instructions() if word == "RUN" and " wheel " in rest)
    words = [sys.executable if word == "python" else word for word in build.split()]
    built = subprocess.run(
        [str(tmp_path / "wheel") if word == "/wheel" else word for word in words],
        cwd=source, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "wheel").glob("hearthwatch-*.whl")
    shutil.unpack_archive(wheel, tmp_path / "installed", "zip")
    # Everything the checkout's own command finds must be in the wheel: the packages, their templates and their policy.
    here = {path.relative_to(source).as_posix() for path in (source / "hearthwatch").rglob("*.py")}
    there = {path.relative_to(tmp_path / "installed").as_posix() for path in (tmp_path / "installed").rglob("*.py")}
    assert here <= there
    assert run(sys.executable, "-I", "-c", _ASK_VERSION.format(place=str(tmp_path / "installed"))).returncode == 0


_ASK_VERSION = """
import sys; sys.path.insert(0, {place!r})
from hearthwatch.__main__ import main
sys.argv = ["hearthwatch", "--version"]
main()
"""
