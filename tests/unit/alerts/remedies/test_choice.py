"""Remedies: what is proposed for whom, what it costs, and why the others are not."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.remedies.choice import Known, propose
from alerts.remedies.money import told
from alerts.remedies.terms import REMEDIES, Part, Remedy, RemedyTerms
from alerts.remedies.words import SENTENCES, sentence

TERMS = RemedyTerms()
BATTERY = Known(part="battery", mode="battery_fade", covered=True)
RELAY = Known(part="relay", mode="relay_wear", covered=True)


def why_not(known: Known, remedy: str) -> str:
    option = propose(known, TERMS).of(remedy)
    assert not option.possible
    return option.why[0].code


# -- what is not proposed ----------------------------------------------------------------------------------------------------


def test_money_with_a_fraction_is_refused_and_so_is_a_currency_nobody_knows() -> None:
    with pytest.raises(ValidationError):
        Remedy(cost=9.5, price=0, helps=50)  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        RemedyTerms.model_validate({"swap": {"cost": -1, "price": 0, "helps": 50}})
    with pytest.raises(ValidationError, match="ISO 4217"):
        RemedyTerms(currency="XQQ")


def test_what_can_not_help_is_not_possible_and_says_why() -> None:
    assert why_not(BATTERY, "update") == "no_update"
    assert why_not(BATTERY, "remote_fix") == "not_remote"
    assert why_not(RELAY, "ship_part") == "needs_hands"
    assert why_not(replace(RELAY, part=None), "ship_part") == "part_unknown"
    assert why_not(replace(RELAY, reachable=False), "visit") == "no_home"


@pytest.mark.parametrize("safety_class", ["property", "injury"])
def test_nobody_repairs_or_sends_away_what_protects_them(safety_class: str) -> None:
    terms = TERMS.model_copy(update={"self_service_parts": ("battery", "filter")})
    alarm = Known(part="filter", mode=None, covered=True, safety_class=safety_class)
    proposal = propose(alarm, terms)
    assert proposal.of("ship_part").why[0].code == "safety_hands"
    assert proposal.of("return").why[0].code == "safety_without"
    assert proposal.best is not None
    assert proposal.best.remedy in {"swap", "visit"}
    assert propose(replace(alarm, part="battery"), terms).of("ship_part").possible


def test_where_nothing_is_possible_nothing_is_proposed() -> None:
    nowhere = Known(part="relay", mode="relay_wear", covered=False, safety_class="injury", reachable=False)
    assert [one.remedy for one in propose(nowhere, TERMS).options if one.possible] == ["swap"]


# -- what is -----------------------------------------------------------------------------------------------------------------


def test_a_part_that_customers_put_in_is_sent_and_an_update_that_fixes_it_comes_first() -> None:
    assert propose(BATTERY, TERMS).options[0].remedy == "ship_part"
    leak = Known(part=None, mode="memory_leak", covered=True, update="2.4.2")
    best = propose(leak, TERMS).options[0]
    assert (best.remedy, best.price) == ("update", 0)
    assert [one.code for one in best.why] == ["cheapest_for_us", "update_fixes"]


def test_who_pays_decides_what_is_cheapest() -> None:
    """For us the return is cheap, for the customer the exchange."""
    terms = TERMS.model_copy(
        update={"swap": Remedy(cost=9000, price=1000, helps=98), "return_": Remedy(cost=1000, price=9000, helps=98)}
    )
    assert propose(RELAY, terms).options[0].remedy == "return"
    outside = propose(replace(RELAY, covered=False), terms)
    assert (outside.options[0].remedy, outside.options[0].price) == ("swap", 1000)


def test_a_cheap_remedy_that_seldom_helps_loses_against_one_that_does() -> None:
    often = TERMS.model_copy(update={"remote_fix": Remedy(cost=900, price=0, helps=45)})
    seldom = TERMS.model_copy(update={"remote_fix": Remedy(cost=900, price=0, helps=1)})
    reboots = Known(part=None, mode="reboots", covered=True)
    assert propose(reboots, often).options[0].remedy == "return"
    assert propose(reboots, often).of("remote_fix").expected < propose(reboots, seldom).of("remote_fix").expected


def test_the_price_of_a_part_is_its_own() -> None:
    terms = TERMS.model_copy(update={"parts": {"battery": Part(cost=700, price=1900)}})
    assert propose(replace(BATTERY, covered=False), terms).of("ship_part").price == 500 + 1900
    assert propose(BATTERY, terms).of("ship_part").cost == 600 + 700


KNOWN = st.builds(
    Known,
    part=st.sampled_from([None, "battery", "relay"]),
    mode=st.sampled_from([None, "battery_fade", "reboots"]),
    covered=st.sampled_from([True, False, None]),
    safety_class=st.sampled_from(["none", "property", "injury"]),
    update=st.sampled_from([None, "2.4.2"]),
    reachable=st.booleans(),
)


@given(KNOWN)
def test_whatever_the_case_no_possible_remedy_is_cheaper_than_the_one_proposed(known: Known) -> None:
    proposal = propose(known, TERMS)
    assert sorted(one.remedy for one in proposal.options) == sorted(REMEDIES)
    assert proposal.best is not None
    assert all(proposal.best.expected <= one.expected for one in proposal.options if one.possible)
    assert all(one.price == 0 for one in proposal.options) or not known.covered
    assert all(one.why and sentence(one.why[0], "EUR") for one in proposal.options)


def test_every_reason_there_is_has_its_sentence() -> None:
    cases = product(
        [None, "battery", "relay"], [None, "reboots"], [True, False], ["none", "injury"], [None, "2"], [True, False]
    )
    codes = {why.code for case in cases for one in propose(Known(*case), TERMS).options for why in one.why}
    assert codes <= set(SENTENCES)


def test_sums_are_told_as_their_readers_write_them() -> None:
    assert told(4900, "EUR", "en") == "€49.00"
    assert told(4900, "JPY", "en") == "¥4,900"
    assert told(4900, "CNY", "zh_Hans") == "¥49.00"
