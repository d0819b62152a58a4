"""What is told about a ticket's clock, and to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alerts.sla.alarms import Alarm
from alerts.sla.calendar import BusinessCalendar
from hearthwatch.values import Ticket


@dataclass(frozen=True, slots=True)
class Telling:
    """An alarm about a ticket, the addresses it goes to, and by whose wall clock times are said."""

    ticket: Ticket
    alarm: Alarm
    addresses: Sequence[str]
    calendar: BusinessCalendar
