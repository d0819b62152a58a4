"""Photos of strangers made harmless: judged by content, bounded, turned upright, and written anew without anything but the picture.

Re-encoding drops EXIF (with its place and time), comments, profiles and whatever was hidden behind the picture's end. Where the bytes lie:
docs/intake.md.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from hearthwatch.errors import Invalid

MOST_PHOTOS = 5
LARGEST_BYTES = 10 * 1024 * 1024
LARGEST_PIXELS = 52_000_000
"""Of a JPEG, which can be decoded smaller; cameras of phones have 12 to 50 million."""
LARGEST_PIXELS_OF_OTHERS = 26_000_000
LONGEST_SIDE = 1600
LONGEST_SIDE_OF_THUMBNAIL = 320
QUALITY = 82
MIME = "image/jpeg"
FORMATS = ("JPEG", "PNG", "WEBP")

_PAPER = (255, 255, 255)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_DECODING = threading.BoundedSemaphore(2)  # a decoded picture is large: few at once, however many people send some


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo as it is kept: a JPEG and a small copy of it. ``width`` and ``height`` are of the JPEG, in pixels."""

    picture: bytes
    thumbnail: bytes
    width: int
    height: int
    mime: str = MIME


def clean_all(files: Sequence[tuple[str, bytes]]) -> tuple[Photo, ...]:
    """As `clean`, all of a form; empty files (nothing chosen) are left out. Raises `Invalid` for too many, too."""
    given = [(name, content) for name, content in files if content]
    if len(given) > MOST_PHOTOS:
        raise Invalid(f"at most {MOST_PHOTOS} photos", where="photos.many")
    return tuple(clean(content, name) for name, content in given)


def clean(content: bytes, name: str = "photo") -> Photo:
    """A photo made anew from its pixels alone. ``name`` is for the error.

    Raises `Invalid` for whatever is no JPEG, PNG or WebP picture, or too large in bytes or pixels. ``where`` begins with the kind of
    trouble: ``photos.heic``, ``photos.kind``, ``photos.large``, ``photos.broken``.
    """
    named = name[:80] or "photo"
    if len(content) > LARGEST_BYTES:
        raise Invalid(f"{named} has more than {LARGEST_BYTES // 1024**2} MB", where="photos.large")
    if _is_heif(content):
        raise Invalid(f"{named} is a HEIC picture; send it as JPEG", where="photos.heic")
    with _DECODING, warnings.catch_warnings():
        # Pillow warns of large pictures and odd metadata; sizes are judged here, and metadata is not kept.
        warnings.simplefilter("ignore")
        return _redrawn(content, named)


def _redrawn(content: bytes, name: str) -> Photo:
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            _check_size(opened, name)
            opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is decoded at a fraction of its size
            picture = _on_paper(_upright(opened))
    except UnidentifiedImageError:
        raise Invalid(f"{name} is no JPEG, PNG or WebP picture", where="photos.kind") from None
    except Invalid:
        raise
    except Image.DecompressionBombError:
        raise Invalid(f"{name} has too many pixels", where="photos.large") from None
    except Exception as error:  # noqa: BLE001  # decoders raise anything (struct.error, zlib.error, ...) on what was made to break them
        raise Invalid(f"{name} can not be read as a picture ({type(error).__name__})", where="photos.broken") from None
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    small = picture.copy()
    small.thumbnail((LONGEST_SIDE_OF_THUMBNAIL, LONGEST_SIDE_OF_THUMBNAIL))
    return Photo(_jpeg(picture), _jpeg(small), picture.width, picture.height)


def _check_size(opened: Image.Image, name: str) -> None:
    pixels = opened.width * opened.height
    allowed = LARGEST_PIXELS if opened.format == "JPEG" else LARGEST_PIXELS_OF_OTHERS
    if pixels > allowed:
        raise Invalid(f"{name} has {pixels:,} pixels; at most {allowed:,}", where="photos.large")


def _upright(opened: Image.Image) -> Image.Image:
    opened.load()
    try:
        return ImageOps.exif_transpose(opened)
    except Exception:  # noqa: BLE001  # EXIF that can not be read says nothing about which side is up
        return opened


def _on_paper(image: Image.Image) -> Image.Image:
    """The pixels alone, in a picture of its own: nothing of the other's metadata comes along; what was transparent is white."""
    coloured = (
        image.convert("RGBA") if "A" in image.getbands() or "transparency" in image.info else image.convert("RGB")
    )
    paper = Image.new("RGB", coloured.size, _PAPER)
    paper.paste(coloured, mask=coloured.getchannel("A") if coloured.mode == "RGBA" else None)
    return paper


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


def _is_heif(content: bytes) -> bool:
    """Whether it is a picture as iPhones keep it: ISO 23008-12, an ISO base media file (``ftyp``) of one of these brands."""
    return content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS
