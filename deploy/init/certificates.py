"""The broker's certificate, from an authority of our own. Devices are given the authority's certificate, never its key."""

from __future__ import annotations

import ipaddress
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from places import Places

AUTHORITY_DAYS = 7300
SERVER_DAYS = 825
RENEW_SECONDS = 60 * 86_400
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
ALWAYS = ("mosquitto", "localhost", "127.0.0.1")


def make_authority(places: Places) -> bool:
    """Make the authority; False when it is there."""
    if places.read("authority", "ca.key") and places.read("authority", "ca.crt"):
        return False
    with tempfile.TemporaryDirectory() as scratch:
        key, certificate = Path(scratch, "ca.key"), Path(scratch, "ca.crt")
        _openssl(
            *(
                "req",
                "-x509",
                *CURVE,
                "-noenc",
                "-days",
                str(AUTHORITY_DAYS),
                "-subj",
                "/CN=Hearthwatch device authority",
            ),
            *(
                "-addext",
                "basicConstraints=critical,CA:TRUE,pathlen:0",
                "-addext",
                "keyUsage=critical,keyCertSign,cRLSign",
            ),
            *("-keyout", str(key), "-out", str(certificate)),
        )
        places.write("authority", "ca.key", key.read_text())
        places.write("authority", "ca.crt", certificate.read_text(), 0o444)
    return True


def make_server(places: Places, names: Sequence[str]) -> bool:
    """Make the broker's certificate for all names; False when it names them already and lasts for two more months."""
    wanted = _subject_names([*ALWAYS, *names])
    if places.read("mosquitto", "names") == wanted and _lasts(places):
        return False
    with tempfile.TemporaryDirectory() as scratch:
        key, request, certificate, extensions = (Path(scratch, name) for name in ("key", "csr", "crt", "ext"))
        _openssl("req", *CURVE, "-noenc", "-subj", "/CN=mosquitto", "-keyout", str(key), "-out", str(request))
        extensions.write_text(f"subjectAltName={wanted}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
        authority = places.folder("authority")
        _openssl(
            *("x509", "-req", "-in", str(request), "-days", str(SERVER_DAYS), "-extfile", str(extensions)),
            *("-CA", str(authority / "ca.crt"), "-CAkey", str(authority / "ca.key"), "-set_serial", _serial()),
            *("-out", str(certificate)),
        )
        places.write("mosquitto", "server.key", key.read_text())
        places.write("mosquitto", "server.crt", certificate.read_text(), 0o444)
        places.write("mosquitto", "names", wanted, 0o444)
    return True


def _lasts(places: Places) -> bool:
    certificate = places.folder("mosquitto") / "server.crt"
    if not certificate.is_file():
        return False
    command = (_program(), "x509", "-noout", "-checkend", str(RENEW_SECONDS), "-in", str(certificate))
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603 - fixed words and our own path


def _subject_names(names: Sequence[str]) -> str:
    return ",".join(f"{_kind(name)}:{name}" for name in dict.fromkeys(names))


def _kind(name: str) -> str:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        if not all(part.isalnum() or part in "-." for part in name) or not name:
            raise SystemExit(f"init: {name!r} is neither a host name nor an address") from None
        return "DNS"
    return "IP"


def _serial() -> str:
    return f"0x{secrets.token_hex(16)}"


def _program() -> str:
    found = shutil.which("openssl")
    if found is None:
        raise SystemExit("init: openssl is not installed")
    return found


def _openssl(*arguments: str) -> None:
    done = subprocess.run((_program(), *arguments), check=False, capture_output=True, text=True)  # noqa: S603 - never a shell
    if done.returncode != 0:
        raise SystemExit(f"init: openssl {arguments[0]} failed: {done.stderr.strip()}")
