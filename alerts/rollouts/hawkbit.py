"""Eclipse hawkBit: its roll-outs are paused, resumed and led from group to group through the Management API.

Facts from the project's own description (github.com/eclipse-hawkbit/hawkbit): `MgmtRolloutRestApi` and `ApiResponsesConstants` (paths,
methods, answers, permissions), `Rollout.RolloutStatus` and `RolloutGroup.RolloutGroupStatus` (states, in lower case on the wire),
`ExceptionInfo` (``errorCode`` of a 400), docs/authentication.md (HTTP Basic), docs/rollout-management.md and `JpaRolloutManagement` (what
pausing and resuming do):

- pausing works on a running roll-out; groups that have started are finished, no further one starts. Any other state is a 400 with the error
  code of an illegal state;
- resuming also starts the next group where the last one has reached its success condition and would have paused then, or is in error;
- triggering the next group starts one more at each call, so it must not be repeated blindly: the groups are read before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from alerts.channels.http import SECONDS, Answer, ask, said
from hearthwatch.errors import Invalid, Refused, Unavailable

NAME = "hawkbit"
SCHEMES = {"hawkbit": "http", "hawkbits": "https"}
ILLEGAL_STATE = "hawkbit.server.error.rollout.illegalstate"
PERMISSIONS = {
    "": "READ_ROLLOUT",
    "deploygroups": "READ_ROLLOUT",
    "start": "HANDLE_ROLLOUT",
    "pause": "HANDLE_ROLLOUT",
    "resume": "HANDLE_ROLLOUT",
    "triggerNextGroup": "UPDATE_ROLLOUT",
}
ENDED = frozenset({"finished", "stopping", "stopped", "deleting", "deleted", "approval_denied"})
"""In these no group will ever start."""
NOT_STARTED_GROUPS = frozenset({"creating", "ready", "scheduled"})
_PAGE = 100


class HawkbitRollouts:
    """The roll-outs of one hawkBit server: ``hawkbits://user:password@host[:port][/base]``, or ``hawkbit://`` without TLS."""

    name = NAME

    def __init__(self, address: str, *, seconds: float = SECONDS) -> None:
        """Raises `Invalid` for an address that is none."""
        parts = urlsplit(address)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise Invalid("a hawkBit server is hawkbits://user:password@host", where="rollout_service")
        if not parts.username or parts.password is None:
            raise Invalid("hawkBit wants a user and a password: hawkbits://user:password@host", where="rollout_service")
        self._url = f"{SCHEMES[parts.scheme]}://{_place(parts)}{parts.path.rstrip('/')}/rest/v1/rollouts"
        self._user = (unquote(parts.username), unquote(parts.password))
        self._seconds = seconds

    def status(self, rollout: str) -> str:
        """The state of a roll-out as hawkBit calls it."""
        state = self._read(rollout, "").get("status")
        if not isinstance(state, str):
            raise Refused("what answered is no hawkBit: a roll-out there has a status")
        return state.lower()

    def pause(self, rollout: str) -> str:
        """Start no further group; groups that have started go on to their end."""
        if self._do(rollout, "pause"):
            return "paused"
        state = self.status(rollout)
        if state == "paused" or state in ENDED:
            return state
        raise Unavailable(f"hawkBit's roll-out {rollout} is {state}, and only a running one can be paused")

    def resume(self, rollout: str) -> str:
        """Go on after a pause, unless hawkBit would start a further group with that: then it stays paused until `advance`."""
        state = self.status(rollout)
        if state != "paused":
            return state
        started = [one for one in self._groups(rollout) if _has_started(one)]
        if started and _would_go_on(started[-1]):
            return state
        return "running" if self._do(rollout, "resume") else self.status(rollout)

    def advance(self, rollout: str, group: int) -> str:
        """See to it that the groups up to this one have started. Before every step it looks, so a repetition starts no further group."""
        for _ in range(group + 2):
            state = self.status(rollout)
            if state in ENDED:
                return self._ended(rollout, state)
            if state == "ready" and self._do(rollout, "start"):
                state = "starting"
            if state == "starting" and group == 1:
                return state
            if state not in {"running", "paused"}:
                raise Unavailable(f"hawkBit's roll-out {rollout} is {state}; group {group} can not start yet")
            groups = self._groups(rollout)
            if len(groups) < group:
                raise Refused(f"hawkBit's roll-out {rollout} has {len(groups)} groups, and wave {group} has none there")
            if _has_started(groups[group - 1]):
                return self.resume(rollout)
            self._do(rollout, "resume" if state == "paused" else "triggerNextGroup")
        raise Unavailable(f"hawkBit's roll-out {rollout} did not start group {group}")

    def _ended(self, rollout: str, state: str) -> str:
        if state == "finished":
            return state
        raise Refused(f"hawkBit's roll-out {rollout} has ended there: it is {state}")

    def _groups(self, rollout: str) -> Sequence[Mapping[str, Any]]:
        """The groups in the order in which they start."""
        found: list[Mapping[str, Any]] = []
        while True:
            params = {"offset": len(found), "limit": _PAGE, "sort": "ID:ASC"}
            page = self._read(rollout, "deploygroups", params)
            content = page.get("content")
            if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
                raise Refused("what answered is no hawkBit: a list there has its content")
            found += content
            total = page.get("total")
            if not content or not isinstance(total, int) or len(found) >= total:
                return found

    def _do(self, rollout: str, verb: str) -> bool:
        """Ask for an act. False where the roll-out's state does not allow it."""
        answer = self._ask("POST", rollout, verb)
        if answer.ok:
            return True
        if answer.status == 400 and _error_code(answer) == ILLEGAL_STATE:
            return False
        raise _error(answer, rollout, verb)

    def _read(self, rollout: str, what: str, params: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        answer = self._ask("GET", rollout, what, params)
        if not answer.ok:
            raise _error(answer, rollout, what)
        return _json(answer)

    def _ask(self, method: str, rollout: str, what: str, params: Mapping[str, Any] | None = None) -> Answer:
        if not (rollout.isascii() and rollout.isdecimal()):
            raise Refused("the id of a roll-out in hawkBit is a number")
        url = f"{self._url}/{rollout}" + (f"/{what}" if what else "")
        headers = {"Accept": "application/json"}
        return ask(method, url, who="hawkBit", headers=headers, params=params, user=self._user, seconds=self._seconds)


def _place(parts: SplitResult) -> str:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port}" if parts.port is not None else host


def _has_started(group: Mapping[str, Any]) -> bool:
    return str(group.get("status", "")).lower() not in NOT_STARTED_GROUPS


def _would_go_on(group: Mapping[str, Any]) -> bool:
    """Whether hawkBit starts the next group by itself once the roll-out runs: this one failed, or reached its success condition."""
    if str(group.get("status", "")).lower() in {"error", "finished"}:
        return True
    condition, total = group.get("successCondition"), group.get("totalTargets")
    counts = group.get("totalTargetsPerStatus")
    if not isinstance(condition, dict) or not isinstance(counts, dict) or not isinstance(total, int) or total <= 0:
        return True  # not known: then nothing is started
    try:
        threshold = float(condition.get("expression", ""))
    except (TypeError, ValueError):
        return True
    return 100.0 * float(counts.get("finished", 0)) >= threshold * total


def _json(answer: Answer) -> Mapping[str, Any]:
    try:
        read = json.loads(answer.body)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise Refused(f"what answered is no hawkBit: {said(answer) or 'nothing'}")
    return read


def _error_code(answer: Answer) -> str:
    """The error code of an answer, in lower case: releases of hawkBit differ in that."""
    try:
        read = json.loads(answer.body)
    except ValueError:
        return ""
    return str(read.get("errorCode", "")).lower() if isinstance(read, dict) else ""


def _error(answer: Answer, rollout: str, what: str) -> Unavailable | Refused:
    """What an answer that is none means to us. What an operator can put right is tried again meanwhile."""
    status = answer.status
    if status == 401:
        return Unavailable("hawkBit does not know this user and password (401): see HEARTHWATCH_ROLLOUT_SERVICE")
    if status == 403:
        return Unavailable(f"hawkBit does not allow it to this user (403): it needs {PERMISSIONS[what]}")
    if status == 404:
        return Refused(f"hawkBit has no roll-out {rollout} (404)")
    if status == 409:
        return Unavailable("somebody else changed it in hawkBit at this moment (409)")
    if status == 429:
        return Unavailable("hawkBit is asked too often (429)", retry_after=answer.retry_after or 1.0)
    if status >= 500:
        return Unavailable(f"hawkBit failed ({status})", retry_after=answer.retry_after)
    if 300 <= status < 400:
        return Refused(f"hawkBit sends us elsewhere ({status}): is its address right?")
    return Refused(f"hawkBit refused it ({status}): {said(answer)}")
