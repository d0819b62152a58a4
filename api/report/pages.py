"""The pages of the form: the form itself, thank you, and how a report goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from starlette.responses import Response

from alerts.intake.complaints import WISHES, offered
from alerts.intake.photos import MOST_PHOTOS
from api.context import ApiContext
from api.customer import rendering
from api.customer.look import phrase
from api.customer.sent import Sent
from api.customer.speech import Speech, own_names
from api.report.doors import Door
from api.report.form import HONEYPOT, ONLY_TELLS, Problem
from api.templating import page
from hearthwatch.errors import HearthwatchError
from hearthwatch.reasons import spoken

SAFETY = phrase(
    "If there is smoke, fire, a smell of gas, or somebody got a shock: do not touch the device, get to safety, and call the"
    " emergency services."
)
EMPTY = Sent({}, ())


@dataclass(frozen=True, slots=True)
class Line:
    """Something of a report's story as its reporter sees it. ``ours``: the maker wrote it."""

    when: str
    text: str
    ours: bool


def form(
    context: ApiContext,
    door: Door,
    language: str,
    wanted: str | None,
    nonce: str,
    sent: Sent | None,
    problem: Problem | None,
) -> Response:
    """The form; with what was sent in it and what is wrong with that, where something is. Pictures have to be chosen anew."""
    say = Speech(language, ZoneInfo(door.timezone))
    given = sent or EMPTY
    kinds = {one.device_class for one in door.things}
    choices = offered(kinds.pop() if len(kinds) == 1 else None)
    wishes = [(name, words[spoken(language)]) for name, words in WISHES.items()]
    return page(
        "report.html",
        status=problem.status if problem else 200,
        say=say,
        door=door,
        given=given,
        action=_address(door.path, wanted),
        nonce=nonce,
        honeypot=HONEYPOT,
        choices=[(one.id, one.name(language)) for one in choices],
        wishes=wishes if door.strangers else [wish for wish in wishes if wish[0] != ONLY_TELLS],
        safety=say(SAFETY),
        most=MOST_PHOTOS,
        today=context.clock.now().astimezone(ZoneInfo(door.timezone)).date().isoformat(),
        problem=say(problem.sentence) if problem else "",
        field=problem.field if problem else "",
        languages=_languages(door.path),
        **rendering.maker(context.settings),
    )


def thanks(
    context: ApiContext,
    door: Door,
    language: str,
    wanted: str | None,
    *,
    number: str,
    danger: bool,
    mail: bool,
    ticket: str = "",
) -> Response:
    """What is said after the form was sent. ``ticket`` is the token of the ticket's own page."""
    say = Speech(language, ZoneInfo(door.timezone))
    return page(
        "report_sent.html",
        say=say,
        number=number,
        safety=say(SAFETY) if danger else "",
        mail=mail,
        strangers=door.strangers,
        ticket=_address(f"/c/{ticket}", wanted) if ticket and not door.strangers else "",
        back=_address(door.back, wanted) if door.back else "",
        again=_address(door.path, wanted),
        languages=_languages(f"{door.path}/sent"),
        **rendering.maker(context.settings),
    )


def followed(
    context: ApiContext,
    say: Speech,
    path: str,
    *,
    number: int,
    standing: str,
    lines: Sequence[Line],
    pictures: Sequence[int],
    can_write: bool,
    nonce: str,
    done: str = "",
    problem: str = "",
    status: int = 200,
) -> Response:
    """How a report goes, to whoever has the letter about it."""
    return page(
        "report_follow.html",
        status=status,
        say=say,
        path=path,
        number=number,
        standing=standing,
        lines=lines,
        pictures=pictures,
        can_write=can_write,
        nonce=nonce,
        done=done,
        problem=problem,
        languages=_languages(path),
        **rendering.maker(context.settings),
    )


def sorry(context: ApiContext, language: str, error: HearthwatchError, *, of_code: bool = False) -> Response:
    """A code or link that is not good, for whatever reason, looks the same to everybody."""
    return rendering.sorry(Speech(language, ZoneInfo("UTC")), context.settings, error, of_code=of_code)


def _address(path: str, wanted: str | None) -> str:
    return f"{path}?lang={wanted}" if wanted in own_names() else path


def _languages(path: str) -> list[tuple[str, str, str]]:
    return [(name, own, f"{path}?lang={name}") for name, own in own_names().items()]
