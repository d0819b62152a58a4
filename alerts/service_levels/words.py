"""What letters to staff say about clocks, in the language that the policy names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.service_levels.telling import Telling
from alerts.sla.calendar import BusinessCalendar

_ENGLISH = {
    "first_response": "first response",
    "update": "answer to the customer",
    "periodic_update": "next word to the customer",
    "resolution": "resolution",
    "late": "{clock} was due {at}",
    "soon": "{clock} is due {at}, {left} of working time left",
    "title": "Ticket {id} (priority {priority}): {title}",
    "late_subject": "{late} of {all} tickets late",
    "one_late_subject": "Ticket {id} is late: {clock}",
    "one_soon_subject": "Ticket {id} is due soon: {clock}",
    "soon_subject": "{all} tickets due soon",
    "more": "... and {more} more.",
    "hours": "{hours} h {minutes} min",
    "minutes": "{minutes} min",
}
_CHINESE = {
    "first_response": "首次回复",
    "update": "答复客户",
    "periodic_update": "下一次告知客户",
    "resolution": "解决",
    "late": "{clock}应于 {at} 前完成，已超时",
    "soon": "{clock}须于 {at} 前完成，还剩 {left} 工作时间",
    "title": "服务单 {id}（优先级 {priority}）：{title}",
    "late_subject": "{all} 张服务单中有 {late} 张已超时",
    "one_late_subject": "服务单 {id} 已超时：{clock}",
    "one_soon_subject": "服务单 {id} 即将到期：{clock}",
    "soon_subject": "{all} 张服务单即将到期",
    "more": "……另有 {more} 张。",
    "hours": "{hours} 小时 {minutes} 分钟",
    "minutes": "{minutes} 分钟",
}


@dataclass(frozen=True, slots=True)
class Words:
    """The sentences of one language."""

    said: dict[str, str]

    def subject(self, mine: Sequence[Telling]) -> str:
        """What a letter is about."""
        tickets = {one.ticket.id for one in mine}
        late = {one.ticket.id for one in mine if one.alarm.kind == "escalate"}
        first = mine[0]
        if len(tickets) == 1:
            name = "one_late_subject" if late else "one_soon_subject"
            return self.said[name].format(id=first.ticket.id, clock=self.said[first.alarm.clock.name])
        return self.said["late_subject" if late else "soon_subject"].format(late=len(late), all=len(tickets))

    def title(self, telling: Telling) -> str:
        """Which ticket."""
        ticket = telling.ticket
        return self.said["title"].format(id=ticket.id, priority=ticket.priority, title=ticket.title)

    def line(self, telling: Telling) -> str:
        """What is with one of its clocks."""
        clock, late = telling.alarm.clock, telling.alarm.kind == "escalate"
        at = said_at(clock.breached_at if late else clock.due_at, telling.calendar)
        left = self.span(clock.left or timedelta(0))
        return self.said["late" if late else "soon"].format(clock=self.said[clock.name], at=at, left=left)

    def more(self, count: int) -> str:
        """How many are not named."""
        return self.said["more"].format(more=count)

    def span(self, amount: timedelta) -> str:
        """Working time, to the minute."""
        hours, minutes = divmod(max(0, int(amount.total_seconds() // 60)), 60)
        return self.said["hours" if hours else "minutes"].format(hours=hours, minutes=minutes)


def words_in(language: str) -> Words:
    """The words of a language; English where there are none."""
    return Words(_CHINESE if language == "zh_Hans" else _ENGLISH)


def said_at(at: datetime | None, calendar: BusinessCalendar) -> str:
    """A time by the wall clock of a calendar."""
    return f"{at.astimezone(calendar.zone):%Y-%m-%d %H:%M} ({calendar.zone.key})" if at else "–"
