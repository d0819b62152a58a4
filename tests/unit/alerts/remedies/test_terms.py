"""The part ``[remedies]`` of a policy: what the documentation shows is what holds, and money without a fraction."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from alerts.policy.file import default_text, parse
from alerts.remedies.terms import RemedyTerms
from hearthwatch.errors import Invalid

DOCS = Path(__file__).parents[4] / "docs" / "tickets.md"


def test_the_terms_in_the_documentation_are_the_ones_that_hold_without_any() -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    terms, own = RemedyTerms.model_validate(tomllib.loads(shown)["remedies"]), RemedyTerms()
    assert terms.of_part("battery").price == 1900
    assert terms.model_copy(update={"parts": {}}) == own


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("swap = { cost = 75.5, price = 8900, helps = 98 }", "remedies.swap.cost"),
        ("swap = { cost = 7500, price = 8900, helps = 0 }", "remedies.swap.helps"),
        ('currency = "EURO"', "remedies.currency"),
        ("magic = { cost = 1, price = 1, helps = 1 }", "remedies.magic"),
    ],
)
def test_wrong_terms_are_refused_with_their_key(line: str, where: str) -> None:
    with pytest.raises(Invalid, match=re.escape(where)):
        parse(f"{default_text()}\n[remedies]\n{line}\n")
