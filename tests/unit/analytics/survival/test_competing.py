"""Parts of one device that compete to be the first to fail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.survival.competing import first_to_fail


def constant(rate: float) -> list[float]:
    """Probabilities of a part with a constant hazard a day, within 7, 30 and 90 days."""
    return [float(-np.expm1(-rate * days)) for days in (7, 30, 90)]


def test_a_device_without_parts_has_none_that_fails() -> None:
    assert first_to_fail({}) == {}


def test_a_single_part_fails_first_whenever_it_fails() -> None:
    assert first_to_fail({"relay": constant(0.02)})["relay"] == pytest.approx(constant(0.02))


def test_parts_share_the_failures_of_the_device_as_their_rates() -> None:
    found = first_to_fail({"battery": constant(0.02), "relay": constant(0.01)})
    any_part = np.array(constant(0.03))
    assert found["battery"] == pytest.approx(any_part * 2 / 3)
    assert found["relay"] == pytest.approx(any_part / 3)


def test_the_part_that_fails_soon_leaves_less_for_the_one_that_fails_late() -> None:
    found = first_to_fail({"soon": [0.9, 0.9, 0.9], "late": [0.0, 0.0, 0.5]})
    assert found["soon"] == pytest.approx([0.9, 0.9, 0.9])
    assert found["late"] == pytest.approx([0.0, 0.0, 0.05])


def test_two_parts_that_are_sure_to_fail_share_the_certainty() -> None:
    found = first_to_fail({"one": [1.0, 1.0, 1.0], "other": [1.0, 1.0, 1.0]})
    assert found["one"] + found["other"] == pytest.approx([1.0, 1.0, 1.0])
    assert found["one"] == pytest.approx(found["other"])


probabilities = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted)


@given(st.dictionaries(st.sampled_from(["battery", "relay", "motor", "radio"]), probabilities, min_size=1))
def test_the_shares_never_add_to_more_than_one_nor_any_to_more_than_its_part_alone(
    parts: dict[str, list[float]],
) -> None:
    found = first_to_fail(parts)
    total = sum(found.values())
    independent = 1 - np.prod([1 - np.array(each) for each in parts.values()], axis=0)
    np.testing.assert_allclose(total, independent, atol=1e-6)
    for part, first in found.items():
        assert (np.diff(first) >= -1e-12).all()
        assert (first >= -1e-12).all()
        assert (first <= np.array(parts[part]) + 1e-9).all()
