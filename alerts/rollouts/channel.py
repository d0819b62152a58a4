"""The channel to the service that deploys: each message is one act on one of its roll-outs."""

from __future__ import annotations

import json
import logging

from alerts.rollouts.announce import SERVICE_CHANNEL, service_act
from hearthwatch.errors import HearthwatchError, Missing, Refused
from hearthwatch.ports import Clock, RolloutService
from hearthwatch.records import rollout_decisions, rollouts
from hearthwatch.records.database import Database
from hearthwatch.records.rollouts import Rollout

LOG = logging.getLogger(__name__)


class RolloutChannel:
    """Acts on the service, and notes in the roll-out what it said.

    A message that a later decision has overtaken does nothing: the later one has a message of its own. Repeating one does no harm, because
    the service's acts may be repeated.
    """

    name = SERVICE_CHANNEL

    def __init__(self, service: RolloutService, database: Database, clock: Clock) -> None:
        self._service = service
        self._database = database
        self._clock = clock

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        """Do what the message says. Raises `Refused` for one that is none, or what the service raises."""
        rollout, number, act, group = self._meant(text)
        if rollout.service_id is None or rollout.service != self._service.name:
            raise Refused(f"the roll-out is deployed by {rollout.service}, and here there is {self._service.name}")
        if self._overtaken(rollout.id, number):
            LOG.info("decision %d of roll-out %d was overtaken; its message does nothing", number, rollout.id)
            return
        try:
            state = self._act(rollout.service_id, act, group)
        except HearthwatchError as error:
            self._note(rollout.id, None, error.message)
            raise
        self._note(rollout.id, state, f"{act}: done")

    def _act(self, service_id: str, act: str, group: int) -> str:
        if act == "pause":
            return self._service.pause(service_id)
        if act == "resume":
            return self._service.resume(service_id)
        return self._service.advance(service_id, group)

    def _meant(self, text: str) -> tuple[Rollout, int, str, int]:
        try:
            told = json.loads(text)
            number, act, group = int(told["number"]), str(told["act"]), int(told["group"])
            with self._database.reading() as connection:
                rollout = rollouts.get(connection, int(told["rollout"]))
        except (ValueError, KeyError, TypeError, Missing):
            raise Refused("the message names no act on a roll-out") from None
        if act not in {"pause", "resume", "advance"}:
            raise Refused(f"a service can not {act!r} a roll-out")
        return rollout, number, act, group

    def _overtaken(self, rollout_id: int, number: int) -> bool:
        with self._database.reading() as connection:
            later = rollout_decisions.list_decisions(connection, rollout_id)
        return any(one.number > number and service_act(one) is not None for one in later)

    def _note(self, rollout_id: int, state: str | None, said: str) -> None:
        with self._database.transaction(alone=False) as connection:
            rollouts.service_said(connection, rollout_id, self._clock.now(), state=state, said=said)
