"""Client certificates of devices, signed by an authority whose certificate and key lie in one folder (``ca.crt``, ``ca.key``).

The common name is the device's id, which the broker takes for its user name (``use_identity_as_username``). They may be used by a client
alone (``extendedKeyUsage=clientAuth``), so none of them passes for the broker. Source: mosquitto.conf(5); openssl-req(1), openssl-x509(1).
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from ssl import PEM_cert_to_DER_cert

from hearthwatch.errors import Invalid
from hearthwatch.run.credentials import check_user

DAYS = 3650
"""A device in the field can hardly be given another one."""
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
_SECONDS = 60


@dataclass(frozen=True, slots=True, repr=False)
class DeviceCertificate:
    """A key and its certificate as PEM, and the SHA-256 of the certificate (DER) as hexadecimal digits. The key is kept nowhere else."""

    key: str
    certificate: str
    fingerprint: str


def make_certificate(device: str, authority: Path, *, days: int = DAYS) -> DeviceCertificate:
    """A new key with a certificate for a device. Raises `Invalid` for a name that is none, and where the authority is not complete."""
    check_user(device)
    for name in ("ca.crt", "ca.key"):
        if not (authority / name).is_file():
            raise Invalid(
                f"there is no {name}: it is the folder of the authority that signs certificates", where=str(authority)
            )
    with tempfile.TemporaryDirectory() as scratch:
        key, request, certificate, extensions = (Path(scratch, name) for name in ("key", "csr", "crt", "ext"))
        _openssl("req", *_CURVE, "-noenc", "-subj", f"/CN={device}", "-keyout", str(key), "-out", str(request))
        extensions.write_text(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
        )
        _openssl(
            *("x509", "-req", "-in", str(request), "-days", str(days), "-extfile", str(extensions)),
            *("-CA", str(authority / "ca.crt"), "-CAkey", str(authority / "ca.key")),
            *("-set_serial", f"0x{secrets.token_hex(16)}", "-out", str(certificate)),
        )
        pem = certificate.read_text()
        return DeviceCertificate(key.read_text(), pem, sha256(PEM_cert_to_DER_cert(pem)).hexdigest())


def _openssl(*arguments: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise Invalid("openssl is not installed, and certificates need it", where="--certificate")
    done = subprocess.run((program, *arguments), check=False, capture_output=True, text=True, timeout=_SECONDS)  # noqa: S603 - never a shell
    if done.returncode != 0:
        raise Invalid(f"openssl {arguments[0]} failed: {done.stderr.strip()}", where="--certificate")
