"""A role as `tests.e2e.stepped_role` runs it, whose clock may leap by half a day without the fleet counting as unheard meanwhile.

How long nobody has listened is told by the clock, and ingestors say that they do every five seconds of real time: a leap, or several that
pass within five seconds, would look like days in which no ingestor ran, and silence in them would mean nothing.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from unittest import mock

from tests.e2e.stepped_role import main

LONGER_THAN_THE_PLAY = timedelta(days=90)


if __name__ == "__main__":
    with mock.patch("hearthwatch.records.blindness.BLIND_AFTER", LONGER_THAN_THE_PLAY):
        main(*sys.argv[1:])
