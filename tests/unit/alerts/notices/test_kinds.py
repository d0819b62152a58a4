"""What holds for every kind of notice: words in each language, at most one thing asked, cost said, and a language added by a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts import samples
from alerts.notices import catalogue, phrases, softening
from alerts.notices.contents import Content, content
from alerts.notices.issue import Mail
from alerts.notices.kinds import KINDS, OF_CAMPAIGNS
from alerts.notices.speech import Brand, Reader, Speaker
from alerts.notices.wording import Concern, Cost, Subject, write
from hearthwatch.failure_modes import FAILURE_MODES, LIVENESS_MODES
from hearthwatch.records import notices

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MAIL = Mail(Brand("Acme", "+49 30 1"), "https://hw.example", timedelta(days=30))
MODES = [*(mode.id for mode in FAILURE_MODES), *LIVENESS_MODES, "unusual", "camera_failure"]
LANGUAGES = ("en", "zh_Hans")


def said(subject: Subject, language: str = "en") -> Content:
    return content(Speaker(language, ZoneInfo("UTC")), subject)


def about(kind: str, mode: str = "motor_wear", **more: object) -> Subject:
    return Subject(kind, mode, "Lock", ("lock-1",), version="2.4.2", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OF_CAMPAIGNS])
def test_a_notice_asks_for_one_thing_at_most_and_only_where_its_kind_asks(kind: str, mode: str, language: str) -> None:
    for whole in (False, True):
        found = said(about(kind, mode, act_by=NOW, whole_release=whole, words="Hello"), language)
        assert (found.action is not None) == KINDS[kind].asks
        others = [line for line in found.paragraphs if line != found.action]
        assert not [line for line in others if re.search(r"\bplease\b|请", line, re.IGNORECASE)]


@pytest.mark.parametrize("kind", OF_CAMPAIGNS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_letters_of_campaigns_have_one_part_that_says_what_to_do(kind: str, language: str) -> None:
    letter = samples.sample(kind, language, MAIL, NOW)
    assert len(re.findall("border-left:5px solid #1d1d1b", letter.html)) == 1


def test_the_kinds_that_count_against_budgets_are_those_about_faults_that_ask() -> None:
    asking = {name for name, kind in KINDS.items() if kind.asks and kind.causes == ("finding",)}
    assert asking == set(notices.ASKING)


def test_no_reason_in_a_customer_s_letter_is_a_figure() -> None:
    for sentence in (*phrases.HEADLINES.values(), *phrases.MEANINGS.values(), *phrases.PARTS.values()):
        assert not re.search(r"\d|%", sentence), sentence


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (Cost(covered=True, until=NOW), "costs you nothing: the warranty lasts until May 1, 2026"),
        (Cost(covered=True), "This costs you nothing."),
        (Cost(covered=True, price="49 EUR"), "The warranty does not cover this. The price is 49 EUR"),
        (Cost(covered=False, until=NOW), "ended on May 1, 2026. We tell you the price first"),
        (Cost(covered=False, until=NOW, price="49 EUR"), "The price is 49 EUR"),
        (Cost(), "We do not know when you bought the device."),
        (Cost(price="49 EUR"), "if not, the price is 49 EUR"),
    ],
)
def test_a_replacement_says_which_part_and_who_pays(cost: Cost, words: str) -> None:
    text = "\n".join(said(about("replacement", part="motor", cost=cost)).paragraphs)
    assert "What needs replacing: the motor." in text
    assert words in text


def test_where_the_customer_does_it_the_cost_is_that_of_our_visit() -> None:
    found = said(about("replacement", "battery_fade", part="battery", cost=Cost(covered=True, until=NOW)))
    assert found.action == "Please put in a fresh battery."
    assert [line.split(":")[0] for line in found.after] == [
        "On your page (link below) you can also ask for a visit.",
        "This costs you nothing",
    ]


def test_further_devices_of_the_household_stand_in_the_same_letter() -> None:
    also = tuple(Concern(f"door-{n}", "Door sensor", "battery_fade") for n in range(9))
    found = [line for line in said(about("check_up", also=also)).before if line.startswith("Also:")]
    assert found[0] == "Also: The battery of your Door sensor is getting weak (door-0)."
    assert len(found) == 5


def test_an_agent_s_words_keep_their_lines_and_nothing_else() -> None:
    found = said(about("ticket_message", words="One\r\n\r\nTwo\u202e\x00 {0.__class__}\n"))
    assert found.before[1:] == ["One", "Two {0.__class__}"]


@pytest.fixture
def german(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The catalogues there are, in a folder of their own, with room for one more."""
    for language in catalogue.languages():
        place = tmp_path / language / "LC_MESSAGES"
        place.mkdir(parents=True)
        source = resources.files("alerts") / "locale" / language
        (place / "hearthwatch.po").write_bytes((source / "LC_MESSAGES" / "hearthwatch.po").read_bytes())
        (tmp_path / language / softening.FILE).write_bytes((source / softening.FILE).read_bytes())
    caches = (catalogue.languages, catalogue.choose, catalogue.translations, softening._patterns)
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)
    for cached in caches:
        cached.cache_clear()
    yield tmp_path
    for cached in caches:
        cached.cache_clear()


def test_a_language_is_added_by_a_folder_of_its_own(german: Path) -> None:
    assert catalogue.choose("de-AT") == "en"
    place = german / "de" / "LC_MESSAGES"
    place.mkdir(parents=True)
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    words = 'msgid "Your {product} needs attention"\nmsgstr "Ihr {product} braucht Sie"\n'
    (place / "hearthwatch.po").write_text(head + words, encoding="utf-8")
    (german / "de" / softening.FILE).write_text(
        '[[words]]\nwhy = "it sounds as if acting were up to the reader"\npatterns = ["freiwillig\\\\w*"]\n',
        encoding="utf-8",
    )
    for cached in (catalogue.languages, catalogue.choose, catalogue.translations, softening._patterns):
        cached.cache_clear()
    assert catalogue.choose("de-AT") == "de"
    reader = Reader("Kim", "de-AT", ZoneInfo("Europe/Vienna"))
    letter = write(
        Subject("check_up", "unusual", "Schloss", ("lock-1",), act_by=NOW),
        reader,
        MAIL.brand,
        public_url="https://hw.example",
        link_until=NOW,
    )
    assert letter.subject == "Ihr Schloss braucht Sie"
    assert "1. Mai 2026" in letter.text  # dates are German, sentences without a translation are English
    assert [one.words for one in softening.lint({"x": "ein freiwilliger Rückruf"})] == ["freiwilliger"]
