"""The states of a ticket: which event may happen in which state, by whom, and what it leads to. Pure.

A ticket's row is the fold of its ledger: `after` says what one event makes of it, `fold` what all of them do. Established terms: ITIL 4
(incident management: assigned, in progress, on hold), Zendesk's pending, Zammad's pending reminder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal, Protocol, get_args

from hearthwatch.errors import Conflict, Denied, Invalid
from hearthwatch.values import CLOSING_CODES, Ticket

State = Literal["open", "assigned", "in_progress", "scheduled", "waiting", "closed"]
WaitingFor = Literal["customer", "part", "approval", "third_party"]
Party = Literal["staff", "policy", "customer", "desk", "device"]
"""Who does it: people at work, the platform by itself, the customer, an outside desk that mirrors the ticket, the device that answers."""

STATES: tuple[State, ...] = get_args(State)
OPEN = frozenset(STATES) - {"closed"}
EVERY = frozenset(STATES)
HANDS = frozenset({"staff", "policy", "desk"})
ANYBODY = frozenset(get_args(Party))

Detail = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger decides about a ticket. Names and meanings are those of `Ticket`."""

    state: State = "open"
    priority: int = 4
    part: str | None = None
    mode: str | None = None
    parent_id: int | None = None
    merged_into: int | None = None
    technician_id: str | None = None
    waiting_for: str | None = None
    waiting_until: datetime | None = None
    resumes_as: str | None = None
    visit_at: datetime | None = None
    remedy: str | None = None
    remedy_price: int | None = None
    remedy_currency: str | None = None
    approved_until: datetime | None = None
    closing_code: str | None = None
    closing_part: str | None = None


FIELDS = tuple(one.name for one in fields(Standing))


class Happened(Protocol):
    """An entry of a ledger, as far as it matters here."""

    @property
    def what(self) -> str:
        """The event."""

    @property
    def actor(self) -> str:
        """Who did it."""

    @property
    def at(self) -> datetime:
        """When it happened."""

    @property
    def detail(self) -> Detail:
        """Its particulars."""


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the table: in which states an event may happen, by whom, and what it makes of the ticket (None: nothing)."""

    within: frozenset[str]
    by: frozenset[str]
    to: Callable[[Standing, Detail, datetime], Standing] | None = None


def _opened(_now: Standing, detail: Detail, _at: datetime) -> Standing:
    named = {name: detail[name] for name in ("priority", "part", "mode", "parent_id") if detail.get(name) is not None}
    return Standing(**named)


def _joined(now: Standing, detail: Detail, _at: datetime) -> Standing:
    parent = detail.get("parent_id")
    return now if parent is None else replace(now, parent_id=parent)


def _assigned(now: Standing, detail: Detail, _at: datetime) -> Standing:
    state: State = "assigned" if now.state == "open" else now.state
    resumes = "assigned" if now.resumes_as == "open" else now.resumes_as
    return replace(now, state=state, resumes_as=resumes, technician_id=detail["technician_id"])


def _started(now: Standing, _detail: Detail, at: datetime) -> Standing:
    _payable(now, at)
    return replace(now, state="in_progress", visit_at=None)


def _scheduled(now: Standing, detail: Detail, at: datetime) -> Standing:
    _payable(now, at)
    if now.technician_id is None:
        raise Conflict("assign it first: nobody would come")
    return replace(now, state="scheduled", visit_at=_time(detail["at"]))


def _visit_off(now: Standing, _detail: Detail, _at: datetime) -> Standing:
    return replace(now, state="open" if now.technician_id is None else "assigned", visit_at=None)


def _waiting(now: Standing, detail: Detail, _at: datetime) -> Standing:
    whom = detail.get("for")
    if whom not in get_args(WaitingFor):
        raise Invalid(f"a ticket waits for {', '.join(get_args(WaitingFor))}, not {whom!r}", where="for")
    before = now.resumes_as if now.state == "waiting" else _resting(now)
    until = _time(detail.get("until"))
    return replace(now, state="waiting", waiting_for=whom, waiting_until=until, resumes_as=before, visit_at=None)


def _resting(now: Standing) -> str:
    """What a ticket is again when its wait is over; a visit has to be agreed anew."""
    if now.state == "in_progress":
        return "in_progress"
    return "open" if now.technician_id is None else "assigned"


def _resumed(now: Standing, _detail: Detail, at: datetime) -> Standing:
    state: Any = now.resumes_as or _resting(now)
    if state == "in_progress" and not _is_payable(now, at):
        state = "assigned" if now.technician_id else "open"
    return replace(_rested(now), state=state)


def _rested(now: Standing) -> Standing:
    return replace(now, waiting_for=None, waiting_until=None, resumes_as=None)


def _raised(now: Standing, detail: Detail, _at: datetime) -> Standing:
    return replace(now, priority=detail["to"])


def _remedy_chosen(now: Standing, detail: Detail, _at: datetime) -> Standing:
    price = detail.get("price")
    same = (now.remedy, now.remedy_price, now.remedy_currency) == (detail["remedy"], price, detail.get("currency"))
    return replace(
        now,
        remedy=detail["remedy"],
        remedy_price=price,
        remedy_currency=detail.get("currency"),
        approved_until=now.approved_until if same else None,
    )


def _approved(now: Standing, detail: Detail, _at: datetime) -> Standing:
    asked = (detail["remedy"], detail["price"], detail["currency"])
    if (now.remedy, now.remedy_price, now.remedy_currency) != asked:
        raise Conflict("another remedy or price was chosen since: it has to be asked again")
    return replace(now, approved_until=_time(detail["until"]))


def _declined(now: Standing, _detail: Detail, _at: datetime) -> Standing:
    return replace(now, approved_until=None)


def _diagnosed(now: Standing, detail: Detail, _at: datetime) -> Standing:
    return replace(now, part=detail.get("part"), mode=detail.get("mode"))


def _merged(now: Standing, detail: Detail, _at: datetime) -> Standing:
    into = detail.get("into")
    if into is None:
        return now  # another ticket was merged into this one
    return replace(_closed(now, {"code": "duplicate"}, _at), merged_into=into)


def _closed(now: Standing, detail: Detail, _at: datetime) -> Standing:
    code = detail.get("code")
    if code not in CLOSING_CODES:
        raise Invalid(f"a ticket closes as {', '.join(CLOSING_CODES)}, not {code!r}", where="code")
    over = replace(_rested(now), visit_at=None, approved_until=None)
    return replace(over, state="closed", closing_code=code, closing_part=detail.get("part"))


def _reopened(now: Standing, detail: Detail, _at: datetime) -> Standing:
    if now.merged_into is not None:
        raise Conflict(f"it goes on as ticket {now.merged_into}")
    kept = detail.get("technician_id")
    return replace(
        now,
        state="open" if kept is None else "assigned",
        technician_id=kept,
        closing_code=None,
        closing_part=None,
        remedy=None,
        remedy_price=None,
        remedy_currency=None,
        approved_until=None,
    )


def _corrected(now: Standing, detail: Detail, _at: datetime) -> Standing:
    if now.merged_into is not None:
        raise Conflict(f"it goes on as ticket {now.merged_into}")
    code = detail.get("code")
    if code not in CLOSING_CODES:
        raise Invalid(f"a ticket closes as {', '.join(CLOSING_CODES)}, not {code!r}", where="code")
    return replace(now, closing_code=code, closing_part=detail.get("part"))


WORKED = frozenset({"open", "assigned", "in_progress", "scheduled"})
EVENTS: Mapping[str, Move] = {
    "opened": Move(frozenset(), ANYBODY, _opened),
    "joined": Move(OPEN, HANDS, _joined),
    "assigned": Move(OPEN, HANDS, _assigned),
    "started": Move(frozenset({"open", "assigned", "scheduled"}), HANDS, _started),
    "scheduled": Move(WORKED, HANDS, _scheduled),
    "visit_off": Move(frozenset({"scheduled"}), HANDS, _visit_off),
    "waiting": Move(OPEN, HANDS, _waiting),
    "resumed": Move(frozenset({"waiting"}), ANYBODY, _resumed),
    "raised": Move(OPEN, HANDS, _raised),
    "remedy_proposed": Move(OPEN, HANDS),
    "remedy_chosen": Move(OPEN, frozenset({"staff"}), _remedy_chosen),
    "approval_asked": Move(OPEN, frozenset({"staff"})),
    "approved": Move(OPEN, frozenset({"staff", "customer"}), _approved),
    "declined": Move(OPEN, frozenset({"staff", "customer"}), _declined),
    "approval_over": Move(EVERY, HANDS, _declined),
    "diagnosed": Move(OPEN, HANDS, _diagnosed),
    "recovered": Move(OPEN, frozenset({"policy"})),
    "merged": Move(OPEN, frozenset({"staff"}), _merged),
    "closed": Move(OPEN, HANDS, _closed),
    "corrected": Move(frozenset({"closed"}), frozenset({"staff"}), _corrected),
    "reopened": Move(frozenset({"closed"}), ANYBODY, _reopened),
    "note": Move(EVERY, HANDS),
    "replied": Move(EVERY, HANDS),
    "message": Move(EVERY, frozenset({"customer", "desk", "staff"})),
    "customer": Move(EVERY, frozenset({"customer", "staff"})),
    "owner_known": Move(OPEN, frozenset({"policy"})),
    "mirrored": Move(EVERY, HANDS),
    **{answer: Move(EVERY, frozenset({"device"})) for answer in ("diagnostics", "check_update", "update")},
}
"""Every event a ledger may hold. ``visit_off``: whoever it was arranged with is not there any more. ``approval_over``: nobody answered in
time, or it was withdrawn. ``recovered``: the device has been well again while somebody is at it or on the way. ``corrected``: its
outcome was another one. ``message`` is the customer's, also where staff wrote it down for them. ``owner_known``: a case that went on
without a person has its device's owner for its customer from here on."""


def party_of(actor: str) -> Party:
    """Who an actor of the ledger is."""
    kind = actor.partition(":")[0]
    if kind in {"customer", "reporter"}:
        return "customer"
    if kind in {"desk", "mirror"}:
        return "desk"
    if kind == "device":
        return "device"
    return "policy" if actor in {"policy", "sla", "intake"} else "staff"


def after(now: Standing | None, what: str, *, actor: str, at: datetime, detail: Detail) -> Standing:
    """What an event makes of a ticket (None: there is none yet).

    Raises `Invalid` for an event that does not exist, `Denied` where this is not for this actor, `Conflict` where the state does not allow
    it: the message says in which it is.
    """
    move = EVENTS.get(what)
    if move is None:
        raise Invalid(f"nothing called {what!r} happens to tickets", where="what")
    if party_of(actor) not in move.by:
        raise Denied(f"{what.replace('_', ' ')} is not for: {party_of(actor)}", where=actor)
    if now is None or what == "opened":
        if now is not None or what != "opened":
            raise Conflict("a ticket is opened first, and once")
        return _opened(Standing(), detail, at)
    if now.state not in move.within:
        raise Conflict(_refusal(now, what))
    return now if move.to is None else move.to(now, detail, at)


def allowed(now: Standing, party: Party) -> frozenset[str]:
    """The events that may happen now, by whom."""
    return frozenset(what for what, move in EVENTS.items() if now.state in move.within and party in move.by)


def fold(ledger: Iterable[Happened]) -> Standing:
    """What a whole ledger makes of a ticket. Raises `Conflict` where it does not begin with its opening."""
    now: Standing | None = None
    for event in ledger:
        now = after(now, event.what, actor=event.actor, at=event.at, detail=event.detail)
    if now is None:
        raise Conflict("a ticket without any event")
    return now


def of(ticket: Ticket) -> Standing:
    """What a ticket's row says of all that the ledger decides."""
    return Standing(**{name: getattr(ticket, name) for name in FIELDS})


def _payable(now: Standing, at: datetime) -> None:
    if not _is_payable(now, at):
        asked = "has not agreed to its price" if now.approved_until is None else "agreed too long ago: ask again"
        raise Conflict(f"the customer {asked} ({now.remedy})", where="approval")


def _is_payable(now: Standing, at: datetime) -> bool:
    """Whether work on the chosen remedy may begin: it costs the customer nothing, or their agreement holds."""
    return not now.remedy_price or (now.approved_until is not None and at <= now.approved_until)


def _refusal(now: Standing, what: str) -> str:
    if now.state == "closed":
        return f"it was closed as {now.closing_code}"
    return f"{what.replace('_', ' ')} is not possible while the ticket is {now.state.replace('_', ' ')}"


def _time(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))
