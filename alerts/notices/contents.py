"""What a notice says: a headline, what the reader should know, and at most one thing they are asked to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from alerts.notices import phrases
from alerts.notices.speech import Speaker, plain, plain_lines
from alerts.notices.subjects import Cost, Subject

ALSO_NAMED = 5
AT_ONCE = frozenset({"check_up/overheating"})
"""What is asked for at once, and not by a day."""


@dataclass(frozen=True, slots=True)
class Content:
    """A notice in sentences. ``action`` is the one thing asked, ``after`` what is offered beside it."""

    headline: str
    before: list[str] = field(default_factory=list)
    action: str | None = None
    after: list[str] = field(default_factory=list)

    @property
    def paragraphs(self) -> list[str]:
        """All of it, in order."""
        return [*self.before, *([self.action] if self.action else []), *self.after]


def content(say: Speaker, subject: Subject) -> Content:
    """The sentences of a notice."""
    return _WRITE[subject.kind](say, subject)


def headline(say: Speaker, mode: str, product: str) -> str:
    """What is wrong with a device, in a few words."""
    return say(_of(phrases.HEADLINES, mode), product=plain(product))


def _of_fault(say: Speaker, subject: Subject) -> Content:
    said = _of_release(say, subject) if subject.whole_release else _of_device(say, subject)
    if subject.reminder:
        said.before.insert(0, say(phrases.REMINDER))
    said.before.extend(_also(say, subject))
    return said


def _of_release(say: Speaker, subject: Subject) -> Content:
    meaning = say(_of(phrases.UPDATE_MEANINGS, subject.mode), version=plain(subject.version or ""))
    named = say(phrases.UPDATE_HEADLINE, product=plain(subject.product))
    return Content(named, [meaning], _action(say, subject), _offers(say, subject))


def _of_device(say: Speaker, subject: Subject) -> Content:
    before = [say(_of(phrases.MEANINGS, subject.mode))]
    if subject.kind == "update":
        before.append(say(phrases.UPDATE_FIXES, version=plain(subject.version or "")))
    if subject.kind == "replacement":
        before.append(say(_of(phrases.PARTS, subject.part or "")))
        if not _by_themselves(subject):
            before.append(cost(say, subject.cost or Cost()))
    named = headline(say, subject.mode, subject.product)
    return Content(named, before, _action(say, subject), _offers(say, subject))


def _action(say: Speaker, subject: Subject) -> str:
    key = f"{subject.kind}/{subject.mode}"
    asked = say(phrases.ACTIONS.get(key, phrases.ACTIONS[subject.kind]))
    if subject.act_by is None or key in AT_ONCE:
        return asked
    by_when = say(phrases.BY_WHEN, date=say.date(subject.act_by))
    return say(phrases.TWO_SENTENCES, first=asked, second=by_when)


def _offers(say: Speaker, subject: Subject) -> list[str]:
    if not _by_themselves(subject):
        return []
    paid = [cost(say, subject.cost or Cost())] if subject.kind == "replacement" else []
    return [say(phrases.OFFER_VISIT), *paid]


def _by_themselves(subject: Subject) -> bool:
    """Whether readers are asked for something they do without us: then it is our visit that may cost something."""
    return f"{subject.kind}/{subject.mode}" in phrases.OFFERED


def _also(say: Speaker, subject: Subject) -> list[str]:
    lines = []
    for one in subject.also[:ALSO_NAMED]:
        named = headline(say, one.mode, one.product)
        said = [say(phrases.ALSO, device=plain(one.device), headline=named)]
        if one.kind == "replacement":
            said += [say(_of(phrases.PARTS, one.part or "")), cost(say, one.cost or Cost())]
        lines.append(_sentences(say, said))
    return lines


def _sentences(say: Speaker, said: list[str]) -> str:
    """Some sentences after one another, as the language puts them."""
    first, *others = said
    for other in others:
        first = say(phrases.TWO_SENTENCES, first=first, second=other)
    return first


def cost(say: Speaker, terms: Cost) -> str:
    """Who pays, in one sentence or two."""
    price = plain(terms.price) if terms.price else ""
    until = say.date(terms.until) if terms.until else ""
    if terms.covered and price:
        return say(phrases.COST_EXCLUDED, price=price)
    if terms.covered:
        return say(phrases.COST_COVERED, date=until) if until else say(phrases.COST_FREE)
    if terms.covered is False and until:
        sentence = phrases.COST_OVER_PRICED if price else phrases.COST_OVER
        return say(sentence, date=until, price=price)
    return say(phrases.COST_UNKNOWN_PRICED, price=price) if price else say(phrases.COST_UNKNOWN)


def _all_clear(say: Speaker, subject: Subject) -> Content:
    named = say(phrases.ALL_CLEAR_HEADLINE, product=plain(subject.product))
    return Content(named, [say(phrases.ALL_CLEAR[subject.over or "update"]), say(phrases.ALL_CLEAR_NOTHING)])


def _ticket_update(say: Speaker, subject: Subject) -> Content:
    product = plain(subject.product)
    if subject.event in _EVENTS:
        headline_of, sentence = _EVENTS[subject.event]
        return Content(
            say(headline_of, product=product), [say(sentence, number=str(subject.number)), say(phrases.TICKET_PAGE)]
        )
    if subject.visit_at is not None:
        named = say(phrases.TICKET_SCHEDULED_HEADLINE, product=product)
        news = say(phrases.TICKET_SCHEDULED, when=say.moment(subject.visit_at))
    else:
        named = say(phrases.TICKET_CLOSED_HEADLINE, product=product)
        news = say(phrases.TICKET_CLOSED[subject.code or "recovered"])
    return Content(named, [news, say(phrases.TICKET_PAGE)])


def _ticket_message(say: Speaker, subject: Subject) -> Content:
    named = say(phrases.MESSAGE_HEADLINE, product=plain(subject.product))
    return Content(named, [say(phrases.MESSAGE_FROM), *plain_lines(subject.words)], after=[say(phrases.MESSAGE_ANSWER)])


def _approval(say: Speaker, subject: Subject) -> Content:
    named = say(phrases.APPROVAL_HEADLINE, product=plain(subject.product))
    before = [say(_of(phrases.APPROVAL, subject.remedy or "")), cost(say, subject.cost or Cost())]
    return Content(named, before, _action(say, subject))


def _survey(say: Speaker, subject: Subject) -> Content:
    product = plain(subject.product)
    named = say(phrases.SURVEY_HEADLINE, product=product)
    return Content(named, [say(phrases.SURVEY, product=product)], _action(say, subject))


_EVENTS = {
    "merged": (phrases.TICKET_MERGED_HEADLINE, phrases.TICKET_MERGED),
    "reopened": (phrases.TICKET_REOPENED_HEADLINE, phrases.TICKET_REOPENED),
    "recovered": (phrases.TICKET_RECOVERED_HEADLINE, phrases.TICKET_RECOVERED),
}
"""Headline and sentence about what happened to a ticket."""


def _of(sentences: Mapping[str, str], key: str) -> str:
    return sentences.get(key, sentences[phrases.OTHER])


_WRITE: Mapping[str, Callable[[Speaker, Subject], Content]] = {
    "update": _of_fault,
    "replacement": _of_fault,
    "check_up": _of_fault,
    "all_clear": _all_clear,
    "ticket_update": _ticket_update,
    "ticket_message": _ticket_message,
    "approval": _approval,
    "survey": _survey,
}
