"""The knowledge base: articles that harm nobody, a search that finds Chinese, advice, and asking a device with permission."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import commands
from alerts.knowledge import library, permission
from alerts.knowledge.advice import advise, matching
from alerts.knowledge.library import Draft, ensure_articles, read_file, shipped
from alerts.knowledge.markdown import to_html
from alerts.knowledge.terms import LONGEST_TERM, terms
from alerts.notices.catalogue import translations
from alerts.tickets import ending
from hearthwatch.errors import Conflict, Denied, Invalid, Stale
from hearthwatch.failure_modes import LIVENESS_MODES, MODES
from hearthwatch.records import articles, ticket_messages, tickets
from hearthwatch.values import CLOSING_CODES, Ticket
from tests.unit.alerts.world import MODEL, World

DRAFT = Draft(
    title="A squeak", cause="Dry hinge", next_step="Oil it", body="## How\n\nOil the *hinge*.", modes=["motor_wear"]
)


@pytest.fixture
def library_of(world: World) -> World:
    with world.database.transaction() as connection:
        ensure_articles(connection, world.now)
    return world


def found(world: World, query: str, language: str = "en") -> list[str]:
    with world.database.reading() as connection:
        return [one.slug for one, _ in articles.search(connection, terms(query), language=language)]


# -- articles


def test_every_failure_mode_has_an_article_in_both_languages() -> None:
    about: dict[str, set[str]] = {"en": set(), "zh_Hans": set()}
    for slug, language, text in shipped():
        about[language] |= set(read_file(text, slug).modes)
    expected = {*MODES, *LIVENESS_MODES} - {"mass_silence"}  # that is no device's
    assert about == {"en": expected, "zh_Hans": expected}


def test_articles_of_both_languages_have_the_same_shape() -> None:
    shapes: dict[str, set[tuple[object, ...]]] = {}
    for slug, _, text in shipped():
        draft = read_file(text, slug)
        shape = (
            tuple(draft.modes),
            tuple(draft.parts),
            bool(draft.self_help),
            draft.body.count("\n## "),
            draft.body.count("\n|"),
        )
        shapes.setdefault(slug, set()).add(shape)
    assert {slug for slug, found_ in shapes.items() if len(found_) != 1} == set()


def test_codes_that_articles_tell_to_close_with_exist() -> None:
    for slug, _, text in shipped():
        for code in ("confirmed", "environment", "user_error", "no_fault_found"):
            if f"`{code}`" in text:
                assert code in CLOSING_CODES, slug


def test_what_comes_with_hearthwatch_is_there_once_and_stays_as_a_person_changed_it(library_of: World) -> None:
    world = library_of
    with world.database.transaction() as connection:
        assert ensure_articles(connection, world.now) == 0
        before = articles.get(connection, "battery-fade", "en")
        library.write(connection, "battery-fade", "en", before.revision, DRAFT, "ann", world.now)
        assert ensure_articles(connection, world.now) == 0
        after = articles.get(connection, "battery-fade", "en")
    assert (after.title, after.origin, after.updated_by) == ("A squeak", "own", "ann")


def test_two_who_change_one_article_do_not_overwrite_each_other(library_of: World) -> None:
    world = library_of
    with world.database.transaction() as connection:
        read = articles.get(connection, "silent", "en").revision
        library.write(connection, "silent", "en", read, DRAFT, "ann", world.now)
        with pytest.raises(Stale):
            library.write(connection, "silent", "en", read, DRAFT, "bob", world.now)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("# no head", "TOML between"),
        ("+++\ntitle = \n+++\nx", "not TOML"),
        ('+++\ntitle = "a"\n+++\nx', "cause"),
        ('+++\ntitle = "a"\ncause = "b"\nnext_step = "c"\ncolour = "red"\n+++\nx', "colour"),
        ('+++\ntitle = "a"\ncause = "b"\nnext_step = "c"\n+++\n', "body"),
    ],
)
def test_a_file_that_is_wrong_says_where(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        read_file(text, "squeak/en.md")


@pytest.mark.parametrize(
    ("slug", "language"), [("../x", "en"), ("Über", "en"), ("a--b", "en"), ("squeak", "xx/../y"), ("", "en")]
)
def test_names_that_are_none_are_refused(world: World, slug: str, language: str) -> None:
    with world.database.transaction() as connection, pytest.raises(Invalid):
        library.write(connection, slug, language, None, DRAFT, "ann", world.now)


def test_a_retired_article_is_found_and_proposed_no_more(library_of: World) -> None:
    world = library_of
    with world.database.transaction() as connection:
        library.retire(connection, "relay-wear", "en", None, "ann", world.now)
        library.retire(connection, "relay-wear", "zh_Hans", None, "ann", world.now)
        assert matching(connection, mode="relay_wear", part=None, model=None, language="en") == []
    assert "relay-wear" not in found(world, "relay contacts")


# -- what a page shows


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "![x](https://elsewhere.example/a.png)",
        "<img src=x onerror=alert(1)>",
        '<a href="https://a.example" onclick="x()">a</a>',
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "<style>body{display:none}</style>",
    ],
)
def test_an_article_harms_nobody(text: str) -> None:
    html = to_html(text)
    for harm in ("<script", "<img", "<style", 'href="javascript', 'href="data'):
        assert harm not in html
    assert re.search(r"<[^>]*\son\w+=", html) is None


def test_an_article_has_what_it_needs() -> None:
    html = to_html("## A\n\n1. one\n2. two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[there](https://a.example) `code`")
    for needed in ("<h2>", "<ol>", "<table>", "<td>1</td>", "noopener", "<code>code</code>"):
        assert needed in html


@given(st.text(max_size=300))
def test_no_text_makes_a_script(text: str) -> None:
    assert "<script" not in to_html(text).casefold()


# -- search


@pytest.mark.parametrize(
    ("query", "language", "first"),
    [
        ("battery", "en", "battery-fade"),
        ("WIFI router", "en", "wifi-failing"),
        ("电池", "zh_Hans", "battery-fade"),
        ("路由器掉线", "zh_Hans", "wifi-failing"),
        ("锁舌", "zh_Hans", "motor-wear"),
        ("锁", "zh_Hans", "motor-wear"),
        ("ＷＡＴＣＨＤＯＧ reboots", "en", "reboots"),
    ],
)
def test_words_find_the_article_they_are_about(library_of: World, query: str, language: str, first: str) -> None:
    assert found(library_of, query, language)[0] == first


def test_nothing_is_found_by_nothing(library_of: World) -> None:
    assert found(library_of, "") == []
    assert found(library_of, "!!!") == []
    assert found(library_of, "xyzzy") == []


def test_a_changed_article_is_found_by_its_new_words_alone(library_of: World) -> None:
    world = library_of
    with world.database.transaction() as connection:
        library.write(connection, "motor-wear", "en", None, DRAFT, "ann", world.now)
    assert found(world, "squeak") == ["motor-wear"]
    assert "motor-wear" not in found(world, "strike plate")


@given(st.text(alphabet="电池路由器门锁abc XY12，。", max_size=40))
def test_every_pair_of_chinese_characters_of_a_text_finds_it(text: str) -> None:
    held = terms(text)
    for place in range(len(text) - 1):
        pair = text[place : place + 2]
        if all("\u4e00" <= one <= "\u9fff" for one in pair):
            assert pair in held


@given(st.text(max_size=60))
def test_terms_are_short_and_never_empty(text: str) -> None:
    assert all(0 < len(term) <= LONGEST_TERM for term in terms(text))


def test_full_width_letters_are_letters() -> None:
    assert terms("ＷｉＦｉ") == terms("wifi")


# -- advice


@pytest.fixture
def ticket(library_of: World) -> Ticket:
    world = library_of
    world.home()
    world.policy()
    world.stand()
    world.apply()
    return world.ticket()


def close(world: World, one: Ticket, code: str, part: str | None = None) -> None:
    with world.database.transaction() as connection:
        ending.close(connection, one.id, None, code=code, part=part, note=None, actor="ann", now=world.now)


def test_a_ticket_has_its_probable_cause_and_next_step_in_the_readers_language(
    library_of: World, ticket: Ticket
) -> None:
    with library_of.database.reading() as connection:
        english, chinese = (advise(connection, ticket, language).article for language in ("en", "zh_Hans"))
    assert english is not None
    assert chinese is not None
    assert (english.slug, chinese.slug) == ("battery-fade", "battery-fade")
    assert "cells have aged" in english.cause
    assert "电芯" in chinese.cause


def test_an_article_about_the_model_goes_before_one_about_all(library_of: World, ticket: Ticket) -> None:
    world = library_of
    own = DRAFT.model_copy(update={"modes": ["battery_fade"], "models": [MODEL]})
    other = DRAFT.model_copy(update={"modes": ["battery_fade"], "models": ["PLUG-9"]})
    with world.database.transaction() as connection:
        library.write(connection, "own-model", "en", None, own, "ann", world.now)
        library.write(connection, "other-model", "en", None, other, "ann", world.now)
        slugs = [one.slug for one in matching(connection, mode="battery_fade", part=None, model=MODEL, language="en")]
    assert slugs == ["own-model", "battery-fade"]


def test_a_language_without_the_article_reads_it_in_english(library_of: World) -> None:
    with library_of.database.reading() as connection:
        (one,) = matching(connection, mode="relay_wear", part=None, model=None, language="de")
    assert one.language == "en"


def test_past_cases_say_how_such_cases_ended(library_of: World, ticket: Ticket) -> None:
    world = library_of
    close(world, ticket, "confirmed", "battery")
    world.home(2, devices_=("lock-2",))
    world.stand("lock-2")
    world.apply()
    second = world.tickets()[-1]
    with world.database.reading() as connection:
        cases = advise(connection, second, "en").cases
    assert (cases.count, dict(cases.outcomes), dict(cases.parts)) == (1, {"confirmed": 1}, {"battery": 1})
    assert [one.id for one in cases.newest] == [ticket.id]


def test_a_ticket_without_any_known_cause_gets_no_invented_one(library_of: World) -> None:
    world = library_of
    world.home()
    world.policy()
    world.stand(mode="unusual")
    world.apply()
    ticket = world.ticket()
    with world.database.reading() as connection:
        given_ = advise(connection, ticket, "en")
    assert given_.cases.count == 0
    assert given_.article is None


# -- asking the device


def test_the_customer_is_asked_once_and_their_yes_holds_for_this_ticket(library_of: World) -> None:
    world = library_of
    world.home(consent=("safety",), language="zh-CN")
    world.policy()
    world.stand()
    world.apply()
    ticket = world.ticket()
    with world.database.transaction() as connection:
        with pytest.raises(Denied):
            commands.ask(connection, "lock-1", "diagnostics", why="slow", actor="ann", now=world.now)
        permission.ask_permission(connection, ticket.id, None, "ann", world.now)
        assert permission.standing(connection, tickets.get(connection, ticket.id)) == permission.ASKED
        (text,) = [one.text for one in ticket_messages.of_ticket(connection, ticket.id, visible=True)]
        assert text == translations("zh_Hans").gettext(permission.QUESTION) != permission.QUESTION
    with world.database.transaction() as connection:
        asked = permission.answer(
            connection, tickets.get(connection, ticket.id), "customer:c-1", world.now, allowed=True
        )
        assert asked is not None
        assert (asked.consent, asked.ticket_id) == (f"ticket:{ticket.id}", ticket.id)


def test_a_no_is_kept_and_nothing_is_asked(library_of: World) -> None:
    world = library_of
    world.home(consent=())
    world.policy()
    world.stand()
    world.apply()
    ticket = world.ticket()
    with world.database.transaction() as connection:
        permission.ask_permission(connection, ticket.id, None, "ann", world.now)
        assert (
            permission.answer(connection, tickets.get(connection, ticket.id), "customer:c-1", world.now, allowed=False)
            is None
        )
        with pytest.raises(Denied):
            commands.ask(connection, "lock-1", "diagnostics", why="slow", actor="ann", now=world.now)


def test_a_permission_ends_with_its_ticket(library_of: World) -> None:
    world = library_of
    world.home(consent=())
    world.policy()
    world.stand()
    world.apply()
    ticket = world.ticket()
    with world.database.transaction() as connection:
        permission.ask_permission(connection, ticket.id, None, "ann", world.now)
        permission.answer(connection, tickets.get(connection, ticket.id), "customer:c-1", world.now, allowed=True)
    close(world, ticket, "no_fault_found")
    world.pass_time(hours=2)
    with world.database.transaction() as connection, pytest.raises(Denied):
        commands.ask(connection, "lock-1", "diagnostics", why="again", actor="ann", now=world.now)


def test_who_has_consented_is_not_asked_again(library_of: World, ticket: Ticket) -> None:
    with library_of.database.transaction() as connection, pytest.raises(Conflict, match="already"):
        permission.ask_permission(connection, ticket.id, None, "ann", library_of.now)
