"""Pages in Chinese stay in step with the English ones: the same commands, links and headings, whatever the words between them."""

from __future__ import annotations

import ast
import io
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from api.pages.frame import NAVIGATION
from hearthwatch.catalogues import read_catalogues

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
    for path in sorted((ROOT / "api" / "pages").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say" and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.setdefault(first.value, path.name)
    return found


def test_every_sentence_of_a_staff_page_has_its_chinese() -> None:
    chinese = read_catalogues(ROOT / "api" / "locale", "zh_Hans")
    untranslated = {f"{file}: {one}" for one, file in said_in_pages().items() if chinese.gettext(one) == one}
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
