"""Photos: only the picture is kept, the right way up, and nothing that is no picture gets in."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alerts.intake import photos
from alerts.intake.photos import clean, clean_all
from hearthwatch.errors import Invalid
from tests.unit.alerts.intake.pictures import HEIC, bomb, picture


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def refusal(content: bytes, name: str = "photo.jpg") -> str:
    with pytest.raises(Invalid) as refused:
        clean(content, name)
    return f"{refused.value.where}: {refused.value.message}"


# -- what is refused


def test_a_picture_of_an_iphones_own_kind_is_refused_with_what_to_do() -> None:
    assert refusal(HEIC, "IMG_1.HEIC") == "photos.heic: IMG_1.HEIC is a HEIC picture; send it as JPEG"


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"GIF89a\x01\x00\x01\x00",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"x",
    ],
)
def test_what_is_no_picture_is_refused_whatever_its_name(content: bytes) -> None:
    assert refusal(content, "holiday.jpg").startswith("photos.kind")


def test_a_small_file_of_very_many_pixels_is_refused_without_being_decoded() -> None:
    assert len(bomb()) < 2000
    assert "too many pixels" in refusal(bomb()) or "pixels; at most" in refusal(bomb())
    assert refusal(bomb(7000, 7000)).startswith("photos.large"), "a picture that Pillow itself would only warn about"


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    assert refusal(b"\xff\xd8" + b"\0" * photos.LARGEST_BYTES) == "photos.large: photo.jpg has more than 10 MB"


def test_a_picture_that_ends_in_the_middle_is_refused() -> None:
    whole = picture(600, 400)
    assert refusal(whole[: len(whole) // 2]).startswith("photos.broken")


def test_a_form_takes_so_many_photos_and_no_more() -> None:
    with pytest.raises(Invalid, match="at most 5 photos"):
        clean_all([("a.jpg", picture())] * 6)
    assert clean_all([("", b""), ("a.jpg", picture())])[0].width == 60, "an empty field is no photo"


# -- what is kept


def test_where_and_when_and_with_what_it_was_taken_is_not_kept() -> None:
    taken = picture(gps=True)
    assert b"SECRETPHONE" in taken
    assert opened(taken).getexif().get_ifd(0x8825)[2] == (53.0, 48.0, 1.5)
    kept = clean(taken)
    for content in (kept.picture, kept.thumbnail):
        assert not opened(content).getexif()
        for secret in (b"SECRET", b"Exif", b"2026:05:01"):
            assert secret not in content


def test_what_hides_behind_the_end_of_a_picture_is_not_kept() -> None:
    kept = clean(picture() + b"<script>alert(1)</script>PK\x03\x04secret")
    assert b"script" not in kept.picture
    assert b"secret" not in kept.picture


def test_a_picture_is_turned_upright_before_its_orientation_is_forgotten() -> None:
    kept = clean(picture(60, 40, orientation=6))  # the camera was held upright
    assert (kept.width, kept.height) == (40, 60)
    shown = opened(kept.picture)
    red, _, blue = shown.getpixel((20, 5))  # type: ignore[misc]
    assert red > 100 > blue, "what was left is on top now"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_kind_becomes_a_jpeg_of_bounded_size_with_a_small_copy(kind: str) -> None:
    kept = clean(picture(3000, 1500, kind=kind))
    assert (kept.width, kept.height) == (1600, 800)
    assert opened(kept.picture).format == "JPEG"
    assert max(opened(kept.thumbnail).size) == photos.LONGEST_SIDE_OF_THUMBNAIL
    assert len(kept.thumbnail) < len(kept.picture)


def test_what_is_transparent_is_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(out, "PNG")
    pixel = opened(clean(out.getvalue()).picture).getpixel((5, 5))
    assert isinstance(pixel, tuple)
    assert min(pixel) > 250


@given(content=st.one_of(st.binary(max_size=300), st.binary(max_size=60).map(lambda some: picture()[:200] + some)))
def test_any_bytes_give_a_photo_or_a_clear_refusal(content: bytes) -> None:
    try:
        answer = clean(content).mime
    except Invalid as refused:
        answer = refused.where or ""
    assert answer.startswith(("image/", "photos."))


@given(place=st.integers(0, 700), value=st.integers(0, 255))
def test_a_picture_with_one_byte_changed_gives_a_photo_or_a_clear_refusal(place: int, value: int) -> None:
    content = bytearray(picture(gps=True))
    content[place % len(content)] = value
    try:
        kept = clean(bytes(content))
    except Invalid:
        return
    assert b"SECRETPHONE" not in kept.picture
