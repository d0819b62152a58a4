"""Codes to print on devices, as pictures and as a sheet of labels. A code opens an empty form about its device: ``/r/CODE``."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from hearthwatch.records import audit, devices, report_codes

if TYPE_CHECKING:
    import segno

PNG_SCALE = 8
BORDER = 4  # modules of quiet zone, as ISO/IEC 18004 asks


@dataclass(frozen=True, slots=True)
class Label:
    """A code as it is printed. It is shown this once: only its hash is kept."""

    device_id: str
    code: str
    url: str
    product: str


def make(
    connection: Connection, device_ids: Sequence[str], public_url: str, actor: str, now: datetime, *, anew: bool = False
) -> list[Label]:
    """Make a code for each device; ``anew`` withdraws those it had. Raises `Missing` for a device that is not there."""
    labels = []
    for device_id in dict.fromkeys(device_ids):
        device = devices.get(connection, device_id)
        if anew:
            report_codes.revoke(connection, device.id, actor, now)
        code = report_codes.create(connection, device.id, actor, now)
        audit.note(connection, at=now, actor=actor, action="report_code.make", object=f"device:{device.id}")
        labels.append(Label(device.id, code, f"{public_url.rstrip('/')}/r/{code}", device.model or device.id))
    return labels


def svg(label: Label) -> bytes:
    """The code as SVG, to be scaled to any size."""
    out = io.BytesIO()
    _code(label).save(out, kind="svg", border=BORDER, title=label.device_id)
    return out.getvalue()


def png(label: Label) -> bytes:
    """The code as PNG, eight pixels a module."""
    out = io.BytesIO()
    _code(label).save(out, kind="png", scale=PNG_SCALE, border=BORDER)
    return out.getvalue()


def sheet(labels: Sequence[Label]) -> str:
    """A page of labels to print: each code with the device's number below it."""
    cells = "\n".join(
        f"<figure>{_code(one).svg_inline(scale=4, border=BORDER)}"
        f"<figcaption>{html.escape(one.device_id)}</figcaption></figure>"
        for one in labels
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Labels</title>\n<style>\n'
        "body { font: 10pt system-ui, sans-serif; margin: 10mm; display: flex; flex-wrap: wrap; gap: 4mm; }\n"
        "figure { margin: 0; width: 38mm; text-align: center; break-inside: avoid; }\n"
        "figure svg { width: 34mm; height: 34mm; }\nfigcaption { overflow-wrap: anywhere; }\n"
        f"</style>\n</head>\n<body>\n{cells}\n</body>\n</html>\n"
    )


def _code(label: Label) -> segno.QRCode:
    import segno

    return segno.make_qr(label.url, error="m")
