from __future__ import annotations

import numpy as np
import pytest

from analytics.model_life.blocks import Block, thinned
from hearthwatch.errors import Invalid


def block(count: int) -> Block:
    p = np.random.default_rng(1).uniform(0, 0.2, size=(2, count, 3))
    p[1, 0] = np.nan
    firmware = np.arange(count) % 2
    return Block([f"dävice-{number}" for number in range(count)], p, np.ones(count), firmware, ["1.0", "1.1"])


def test_what_was_packed_comes_back() -> None:
    before = block(20)
    after = Block.unpack(before.pack())
    assert list(after.devices) == list(before.devices)
    assert list(after.firmwares) == ["1.0", "1.1"]
    np.testing.assert_allclose(after.p, before.p, rtol=1e-6)
    np.testing.assert_array_equal(after.firmware, before.firmware)


def test_bytes_that_are_no_day_are_refused() -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        Block.unpack(b"\x80\x05.")


def test_of_a_large_fleet_the_riskiest_are_kept_and_the_others_stand_for_all() -> None:
    whole = block(5000)
    kept = thinned(whole, seed=1, most=500, risky=100)
    assert len(kept.devices) == 500
    assert kept.weight.sum() == pytest.approx(5000)
    riskiest = np.argsort(-np.nan_to_num(whole.p).max(axis=(0, 2)))[:100]
    assert {whole.devices[row] for row in riskiest} <= set(kept.devices)
    assert (kept.weight * np.nan_to_num(kept.p[0, :, 1])).sum() == pytest.approx(whole.p[0, :, 1].sum(), rel=0.1)
    assert thinned(whole, seed=1, most=500, risky=100).devices == kept.devices
    assert thinned(whole, seed=1) is whole


def test_a_day_of_the_largest_size_stays_small() -> None:
    assert len(block(20_000).pack()) < 800_000
