"""Findings that are held out: which, what was learned of them, and letting one go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from alerts.policy import hold_out
from alerts.policy.hold_out import Learned
from api import hold_out_words
from api.acts import Acting
from api.context import Context
from api.paging import Page, Paging
from api.security import Reader, Staff
from hearthwatch.records import hold_outs
from hearthwatch.records.hold_outs import HoldOut

router = APIRouter(tags=["findings"])


@dataclass(frozen=True, slots=True)
class ToldHoldOut(HoldOut):
    """A finding that is or was held out; ``explained`` says in words, by language, what that means."""

    explained: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ToldResult(Learned):
    """What the hold-outs say so far: how many last, how many have an answer (``known``), and the share of those that failed with its 95 %
    interval; ``explained`` says it in words, by language.
    """

    explained: Mapping[str, str]


@router.get("/hold-outs")
def list_hold_outs(
    context: Context, _caller: Reader, paging: Paging, standing: bool | None = None, device: str | None = None
) -> Page[ToldHoldOut]:
    """Findings of which nobody outside is told, by a draw, newest first."""
    with context.database.reading() as connection:
        page = paging.page(
            lambda limit: hold_outs.list_hold_outs(
                connection, standing=standing, device=device, after=paging.after_id, limit=limit
            ),
            key=lambda one: one.id,
        )
        return Page(items=[_told(one) for one in page.items], next=page.next)


@router.get("/hold-outs/result")
def get_result(context: Context, _caller: Reader) -> ToldResult:
    """How often findings were right that nobody outside was told of: no notice has changed that figure."""
    with context.database.reading() as connection:
        known = hold_out.learned(connection, context.clock.now())
    return ToldResult(**asdict(known), explained=hold_out_words.result(known))


@router.post("/findings/{finding_id}/end-hold-out", response_model=ToldHoldOut)
def end_hold_out(
    context: Context, caller: Staff, act: Acting, finding_id: Annotated[int, Path(ge=1, le=2**53)]
) -> Response:
    """End the hold-out of a finding: the policy's next round writes the notice and opens the ticket."""
    return act.do(
        caller,
        "hold_out.end",
        f"finding:{finding_id}",
        lambda connection: _told(hold_out.send_now(connection, finding_id, caller.name, context.clock.now())),
        audited=False,
    )


def _told(one: HoldOut) -> ToldHoldOut:
    return ToldHoldOut(**asdict(one), explained=hold_out_words.explained(one))
