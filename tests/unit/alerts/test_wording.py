"""Letters: catalogues complete, nobody harmed by names, links masked."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from importlib import resources
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from alerts.notices import phrases
from alerts.notices.catalogue import choose, languages
from alerts.notices.wording import MASK, Brand, Letter, Reader, Subject, plain, write
from hearthwatch.failure_modes import FAILURE_MODES

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BRAND = Brand("Acme", "+49 30 1", "https://acme.example")
KINDS = ("update", "replacement", "check_up")


def letter(subject: Subject, *, language: str = "en", name: str = "Kim", brand: Brand = BRAND) -> Letter:
    reader = Reader(name, language, ZoneInfo("Asia/Shanghai"))
    return write(subject, reader, brand, public_url="https://hw.example/", link_until=NOW + timedelta(days=30))


def about(kind: str = "check_up", mode: str = "relay_wear", product: str = "Plug", **more: object) -> Subject:
    return Subject(kind, mode, product, ("plug-1",), act_by=NOW, version="1.2.3", **more)  # type: ignore[arg-type]


def catalogue(language: str) -> Catalog:
    path = resources.files("alerts") / "locale" / language / "LC_MESSAGES" / "hearthwatch.po"
    return read_po(io.BytesIO(path.read_bytes()), locale=language, abort_invalid=True)


@pytest.mark.parametrize("language", languages())
def test_every_sentence_is_in_every_catalogue_with_the_same_names(language: str) -> None:
    known = {str(message.id): message for message in catalogue(language) if message.id}
    assert set(known) == set(phrases.every())
    for sentence, message in known.items():
        assert not message.fuzzy
        if language != "en":
            assert message.string, sentence
            names = re.compile(r"\{[a-z]+\}")
            assert sorted(names.findall(str(message.string))) == sorted(names.findall(sentence))


def test_there_is_english_and_simplified_chinese() -> None:
    assert languages() == ("en", "zh_Hans")


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("en", "en"), ("en-GB", "en"), ("zh", "zh_Hans"), ("zh-CN", "zh_Hans"), ("zh_Hans_SG", "zh_Hans"), ("zh-TW", "en"),
        ("de", "en"), ("", "en"), ("??", "en"), ("x" * 500, "en"), ("../zh_Hans", "en"),
    ],
)  # fmt: skip
def test_a_language_in_any_spelling_finds_its_catalogue_or_english(wanted: str, chosen: str) -> None:
    assert choose(wanted) == chosen


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("mode", [*(mode.id for mode in FAILURE_MODES), "unusual", "camera_failure", "{evil}"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_mode_has_words_in_every_language(kind: str, mode: str, language: str) -> None:
    for whole in (False, True):
        written = letter(about(kind, mode, whole_release=whole), language=language)
        assert written.subject
        assert "{" not in written.text
        assert written.text.count(f"https://hw.example/c/{MASK}") == 1
        assert written.html.count(f"https://hw.example/c/{MASK}") == 1


class Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, sorted(name for name, _ in attrs)))


def tags(html: str) -> list[tuple[str, list[str]]]:
    parser = Tags()
    parser.feed(html)
    return parser.tags


@given(
    st.text(max_size=60)
    | st.sampled_from(["<img src=x onerror=alert(1)>", '"><script>x</script>', "{0.__class__}", "%(x)s"])
)
def test_a_hostile_name_changes_no_tag_and_adds_no_line(name: str) -> None:
    harmless, hostile = (
        letter(about()),
        letter(about(product=name), name=name, brand=Brand(name or "b", "1", name or "u")),
    )
    assert tags(hostile.html) == tags(harmless.html)
    assert hostile.text.count("\n") == harmless.text.count("\n")
    assert not set(hostile.subject) & set("\r\n\x00\u2028\u202e")


def test_names_are_bounded() -> None:
    assert len(letter(about(product="x" * 10_000)).subject) < 200
    assert plain("a\r\nb\u202ec") == "a b c"


def test_the_token_replaces_the_mask_once_in_text_and_once_in_html() -> None:
    own = letter(about()).with_token("T0KEN")
    assert own.text.count("T0KEN") == own.html.count("T0KEN") == 1
    assert MASK not in own.html


def test_dates_are_those_of_the_reader_s_home() -> None:
    late = Subject("check_up", "relay_wear", "Plug", ("plug-1",), act_by=datetime(2026, 5, 1, 20, tzinfo=UTC))
    assert "May 2, 2026" in letter(late).text
    assert "2026年5月2日" in letter(late, language="zh").text


def test_a_visit_is_announced_with_its_local_time() -> None:
    visit = Subject("ticket_update", "", "Plug", ("plug-1",), visit_at=datetime(2026, 5, 4, 2, 30, tzinfo=UTC))
    assert "Monday, May 4, 2026 10:30" in letter(visit).text.replace("\u202f", " ")
    assert "2026年5月4日星期一 10:30" in letter(visit, language="zh").text


def test_empty_brand_fields_are_left_out() -> None:
    bare = letter(about(), brand=Brand("Acme"))
    assert "call us" not in bare.text
    assert "data" not in bare.text


def test_many_devices_are_named_up_to_five() -> None:
    many = Subject("update", "reboots", "Lock", tuple(f"lock-{n}" for n in range(9)), version="2", whole_release=True)
    assert "lock-4, …" in letter(many).text
    assert "lock-5" not in letter(many).text
