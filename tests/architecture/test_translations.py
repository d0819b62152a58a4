"""Pages in Chinese stay in step with the English ones: the same commands, links and headings, whatever the words between them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
