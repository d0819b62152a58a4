"""Pictures as phones and people who mean harm send them."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image
from PIL.ExifTags import IFD, Base

GPS_LATITUDE_REF, GPS_LATITUDE = 1, 2


def picture(
    width: int = 60, height: int = 40, *, kind: str = "JPEG", orientation: int | None = None, gps: bool = False
) -> bytes:
    """A picture whose left half is red and whose right half is blue; ``gps`` says where it was taken, and with what."""
    image = Image.new("RGB", (width, height), (200, 0, 0))
    image.paste((0, 0, 200), (width // 2, 0, width, height))
    exif = Image.Exif()
    if orientation is not None:
        exif[Base.Orientation] = orientation
    if gps:
        exif[Base.Make] = "SECRETPHONE"
        exif[Base.DateTime] = "2026:05:01 12:00:00"
        exif.get_ifd(IFD.GPSInfo).update({GPS_LATITUDE_REF: "N", GPS_LATITUDE: (53.0, 48.0, 1.5)})
    out = io.BytesIO()
    comment = {"comment": b"SECRETCOMMENT"} if kind == "JPEG" else {}
    image.save(out, kind, exif=exif, **comment)
    return out.getvalue()


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few bytes that would be gigabytes of pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\0" * 100
