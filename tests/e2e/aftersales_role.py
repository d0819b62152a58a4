"""A role as `tests.e2e.stepped_role` runs it, whose clock may leap by half a day without the fleet counting as unheard meanwhile.

How long nobody has listened is told by the clock, and ingestors say that they do every five seconds of real time: a leap would look like
half a day in which no ingestor ran, and silence in it would mean nothing.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from unittest import mock

from tests.e2e.stepped_role import main

LONGEST_LEAP = timedelta(hours=13)


if __name__ == "__main__":
    with mock.patch("hearthwatch.records.blindness.BLIND_AFTER", LONGEST_LEAP):
        main(*sys.argv[1:])
