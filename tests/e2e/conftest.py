"""The brief story, told once in one process for all tests that compare another telling with it."""

from __future__ import annotations

import pytest

from tests.e2e.telling import Answer, play


@pytest.fixture(scope="session")
def local() -> Answer:
    """The story as it goes inside one process."""
    return play("local")
