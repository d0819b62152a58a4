"""Pages in Chinese stay in step with the English ones: the same commands, links and headings, whatever the words between them."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from analytics.cohorts.spec import METRICS
from analytics.model_life import report
from analytics.vital_ratios import VITALS
from api.pages import backtest, backtests, model, models, prognoses, quality, rollout
from api.pages.frame import NAVIGATION
from api.release_verdict import GRAVITY
from hearthwatch.catalogues import read_catalogues
from hearthwatch.records import access, releases
from hearthwatch.records import liveness as records_liveness
from hearthwatch.records.rollout_decisions import DECISIONS
from hearthwatch.records.rollouts import STRATA

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"\s+# .*$", re.MULTILINE)

each_page = pytest.mark.parametrize("page", ["README.md", "docs/getting-started.md"])


def both(page: str) -> tuple[str, str]:
    english = ROOT / page
    return english.read_text(encoding="utf-8"), english.with_suffix(".zh-CN.md").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    return [COMMENT.sub("", block) for block in CODE.findall(text)]


def links(text: str) -> list[str]:
    targets = re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", text))
    return sorted(target.replace(".zh-CN.md", ".md") for target in targets if not target.startswith("#"))


def shape(text: str) -> list[int]:
    """The levels of the headings, and how many rows the tables have."""
    prose = CODE.sub("", text)
    return [
        *(len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)),
        len(re.findall(r"^\|", prose, re.MULTILINE)),
    ]


@each_page
def test_a_translated_page_has_the_same_commands(page: str) -> None:
    english, chinese = both(page)
    assert commands(chinese) == commands(english)


@each_page
def test_a_translated_page_has_the_same_links(page: str) -> None:
    english, chinese = both(page)
    name = page.rsplit("/", 1)[-1]
    assert [link for link in links(chinese) if link != name] == [link for link in links(english) if link != name]


@each_page
def test_a_translated_page_has_the_same_headings_and_tables(page: str) -> None:
    english, chinese = both(page)
    assert shape(chinese) == shape(english)


def said_in_pages() -> dict[str, str]:
    """Every sentence that a staff page gives to its speaker as a literal, with the file it stands in."""
    found: dict[str, str] = {}
    further = (ROOT / "analytics" / "model_life" / "report.py", ROOT / "api" / "release_verdict.py")
    for path in (*sorted((ROOT / "api" / "pages").rglob("*.py")), *further):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say" and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.setdefault(first.value, path.name)
    return found


def kept_sentences() -> dict[str, str]:
    """Every sentence that records or errors keep with its gaps (`hearthwatch.said`), with the file it stands in."""
    found: dict[str, str] = {}
    for package in ("alerts", "analytics", "api", "hearthwatch"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for call in asked_of(path):
                match call:
                    case ast.Call(func=ast.Name(id="Said" | "Wrong"), args=[ast.Constant(value=str() as text), *_]) if (
                        text
                    ):
                        found.setdefault(text, path.name)
    return found


COVERED = (
    "backtest",
    "backtest_charts",
    "backtests",
    "charts",
    "comparisons",
    "devices",
    "findings",
    "fleet",
    "hold_outs",
    "liveness",
    "look_card",
    "look_charts",
    "look_tables",
    "look_tests",
    "model",
    "models",
    "policies",
    "policy_form",
    "prognoses",
    "quality",
    "reasons",
    "release",
    "releases",
    "rollout",
    "rollouts",
    "tables",
)
"""Pages on which nothing may be shown that was not given to a speaker first."""
SHOWING = frozenset(
    {"card", "figure", "sentence", "quiet", "facts", "pairs", "label", "button", "link", "notify", "badge"}
)
SHOWING_TOO = frozenset({"expansion", "input", "select", "number"})
NAMES = frozenset({"label", "placeholder"})


def asked_of(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def written(node: ast.expr) -> str:
    """The words that stand in an expression itself, not in what it calls."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return " ".join(written(part) for part in parts)
        case ast.Dict(keys=keys, values=values):
            return " ".join(written(one) for one in (*keys, *values) if one is not None)
        case ast.IfExp(body=body, orelse=other):
            return f"{written(body)} {written(other)}"
        case ast.BoolOp(values=values):
            return " ".join(written(one) for one in values)
    return ""


def words_in(text: str) -> list[str]:
    """What a reader would have to translate: words of small letters; addresses, numbers and units are none."""
    return re.findall(r"(?<![\w/:.-])[A-Za-z]?[a-z]{2,}(?![\w/-])", text)


@pytest.mark.parametrize("page", COVERED)
def test_a_covered_page_shows_nothing_that_no_speaker_said(page: str) -> None:
    shown = []
    for call in asked_of(ROOT / "api" / "pages" / f"{page}.py"):
        if called(call) in SHOWING | SHOWING_TOO:
            given = [*call.args[:2], *(one.value for one in call.keywords if one.arg in NAMES)]
            shown += [f"{call.lineno}: {word}" for one in given for word in words_in(written(one))]
    assert shown == []


@pytest.mark.parametrize("page", COVERED)
def test_the_headings_of_a_covered_page_are_translated(page: str) -> None:
    chinese = read_catalogues(ROOT / "api" / "locale", "zh_Hans")
    headings = set()
    for node in ast.walk(ast.parse((ROOT / "api" / "pages" / f"{page}.py").read_text(encoding="utf-8"))):
        match node:
            case ast.Tuple(elts=[_, ast.Constant(value=str() as heading), ast.Constant(value="left" | "right")]) if (
                heading
            ):
                headings.add(heading)
    assert [heading for heading in sorted(headings) if words_in(heading) and chinese.gettext(heading) == heading] == []


def codes_of_pages() -> Iterator[str]:
    """Words that pages keep in tables of their own, and codes that they say as words."""
    for told in (prognoses.FROM, prognoses.STATES, model.ROLES, quality.JOB_WORDS, report.QUESTIONS):
        yield from told.values()
    yield from (words for pair in backtest.EXAMPLES.values() for words in pair)
    yield from (vital.heading for vital in VITALS)
    codes = (
        *records_liveness.STATES,
        *records_liveness.POWER_CLASSES,
        *models.COLORS,
        *models.MACHINES,
        *quality.SAMPLES,
    )
    gate = (*DECISIONS, *releases.ASSIGNMENTS, *releases.STATUSES, *GRAVITY, *STRATA)
    watched = (code for metric in METRICS for code in (metric.name, metric.says, metric.how, metric.unit))
    for code in (*codes, *backtests.STATE_COLORS, *access.ROLES, *gate, *watched):
        yield code.replace("_", " ")
    yield from (label for _, label, _ in rollout.BUTTONS)


def test_words_that_pages_keep_in_tables_are_translated() -> None:
    chinese = read_catalogues(ROOT / "api" / "locale", "zh_Hans")
    assert [word for word in codes_of_pages() if words_in(word) and chinese.gettext(word) == word] == []


def test_every_sentence_of_a_staff_page_has_its_chinese() -> None:
    chinese = read_catalogues(ROOT / "api" / "locale", "zh_Hans")
    untranslated = {f"{file}: {one}" for one, file in said_in_pages().items() if chinese.gettext(one) == one}
    assert not untranslated


def test_every_sentence_that_is_kept_with_its_figures_has_its_chinese() -> None:
    chinese = read_catalogues(ROOT / "api" / "locale", "zh_Hans")
    untranslated = {f"{file}: {one}" for one, file in kept_sentences().items() if chinese.gettext(one) == one}
    assert not untranslated


def test_translations_of_staff_pages_fill_in_the_same_names() -> None:
    for path in sorted((ROOT / "api" / "locale" / "zh_Hans").glob("*.po")):
        for message in read_po(io.BytesIO(path.read_bytes()), locale="zh_Hans"):
            english, chinese = (set(re.findall(r"\{(\w+)", str(text))) for text in (message.id, message.string))
            assert english == chinese, f"{path.name}: {message.id}"


def test_titles_and_navigation_are_translated() -> None:
    chinese = read_catalogues(ROOT / "api" / "locale", "zh_Hans")
    assert [name for _, name, _ in NAVIGATION if chinese.gettext(name) == name] == []


def test_a_sentence_that_two_areas_share_is_translated_alike() -> None:
    said: dict[str, dict[str, str]] = {}
    for path in sorted((ROOT / "api" / "locale" / "zh_Hans").glob("*.po")):
        for message in read_po(io.BytesIO(path.read_bytes()), locale="zh_Hans"):
            if message.id:
                said.setdefault(f"{message.context}: {message.id}", {})[path.name] = str(message.string)
    assert {one: found for one, found in said.items() if len(set(found.values())) > 1} == {}
