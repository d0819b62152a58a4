"""What every service that deploys promises: acts that may be repeated, a state in its own words, errors that say whether to try again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from alerts.rollouts.hawkbit import PERMISSIONS, HawkbitRollouts
from alerts.rollouts.services import OwnOffers, open_service
from hearthwatch.errors import HearthwatchError, Invalid, Refused, Unavailable
from hearthwatch.ports import RolloutService
from tests.hawkbit_server import GROUP_STATES, PUBLISHED, ROLLOUT_STATES, Group, Hawkbit, hawkbit


@dataclass(frozen=True)
class Harness:
    """A service and its own side. ``started`` counts the groups that it let start, as far as there are any."""

    service: RolloutService
    rollout: str
    started: Callable[[], int | None]


@pytest.fixture
def server() -> Iterator[Hawkbit]:
    with hawkbit() as its:
        yield its
        assert its.wrong == [], "only what is published may be asked"


@pytest.fixture(params=["own offers", "hawkbit"])
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    if request.param == "own offers":
        yield Harness(open_service(""), "7", lambda: None)
        return
    its: Hawkbit = request.getfixturevalue("server")
    its.plan(6, status="running", started=1)
    yield Harness(open_service(its.address), "6", its.started)


# -- every service


def test_pausing_twice_is_pausing_once(harness: Harness) -> None:
    first = harness.service.pause(harness.rollout)
    assert harness.service.pause(harness.rollout) == first == harness.service.status(harness.rollout)


def test_a_pause_that_is_lifted_twice_is_lifted(harness: Harness) -> None:
    before = harness.service.status(harness.rollout)
    harness.service.pause(harness.rollout)
    assert harness.service.resume(harness.rollout) == before
    assert harness.service.resume(harness.rollout) == before == harness.service.status(harness.rollout)


def test_resuming_starts_no_further_group(harness: Harness) -> None:
    harness.service.pause(harness.rollout)
    harness.service.resume(harness.rollout)
    assert harness.started() in {None, 1}


def test_a_group_that_is_asked_for_twice_starts_once_and_no_other(harness: Harness) -> None:
    for _ in range(3):
        harness.service.advance(harness.rollout, 2)
    assert harness.started() in {None, 2}


def test_the_next_group_starts_also_out_of_a_pause(harness: Harness) -> None:
    harness.service.pause(harness.rollout)
    harness.service.advance(harness.rollout, 2)
    assert harness.started() in {None, 2}
    assert harness.service.status(harness.rollout) != "paused"


def test_a_service_has_a_name_and_opens_by_its_address(harness: Harness) -> None:
    assert harness.service.name in {"none", "hawkbit"}


@pytest.mark.parametrize(
    "address", ["hawkbits://host", "hawkbits://user@host", "hawkbits://", "https://user:p@host", "x"]
)
def test_an_address_that_nothing_serves_is_refused_and_does_not_tell_its_password(address: str) -> None:
    with pytest.raises(Invalid) as refused:
        open_service(address)
    assert "user:p@" not in str(refused.value)


def test_without_an_address_devices_get_it_by_our_own_offers() -> None:
    assert isinstance(open_service(""), OwnOffers)


# -- hawkBit


def service(its: Hawkbit) -> HawkbitRollouts:
    return HawkbitRollouts(its.address, seconds=0.5)


def test_the_permissions_that_are_told_are_those_that_are_published() -> None:
    published = {path.partition("{rolloutId}")[2].strip("/"): one.permission for (_, path), one in PUBLISHED.items()}
    assert published == PERMISSIONS


@pytest.mark.parametrize("state", sorted(ROLLOUT_STATES - {"running"}))
def test_pausing_what_does_not_run_succeeds_where_nothing_can_start_and_is_tried_again_where_it_could(
    server: Hawkbit, state: str
) -> None:
    server.plan(6, status=state)
    if state in {"creating", "waiting_for_approval", "ready", "starting"}:
        with pytest.raises(Unavailable, match=f"is {state}"):
            service(server).pause("6")
    else:
        assert service(server).pause("6") == state
    assert server.changes == []


def test_the_code_of_an_illegal_state_is_known_in_either_spelling(server: Hawkbit) -> None:
    server.plan(6, status="paused")
    server.error_code = "hawkbit.server.error.rollout.illegalState"
    assert service(server).pause("6") == "paused"


def test_a_release_of_hawkbit_that_answers_with_200_is_understood(server: Hawkbit) -> None:
    server.plan(6, status="running", started=1)
    server.acknowledges = 200
    assert service(server).pause("6") == "paused"


def test_a_roll_out_that_has_not_started_is_started_for_its_first_group(server: Hawkbit) -> None:
    server.plan(6)
    assert service(server).advance("6", 1) == "starting"
    assert service(server).advance("6", 1) == "starting"
    server.tick()
    assert service(server).advance("6", 1) == "running"
    assert server.changes == ["start 6"]


def test_a_later_group_waits_until_the_roll_out_runs(server: Hawkbit) -> None:
    server.plan(6, status="starting")
    with pytest.raises(Unavailable, match="can not start yet"):
        service(server).advance("6", 2)


def test_a_group_that_paused_by_its_own_success_lets_the_next_start_by_resuming_and_only_that(server: Hawkbit) -> None:
    server.plan(6, status="paused", started=1)
    server.groups[6][0].finished = 10
    assert service(server).advance("6", 2) == "running"
    assert server.started() == 2
    assert server.changes == ["resume 6"]


@pytest.mark.parametrize("last", [Group("running", finished=10), Group("error"), Group("finished", finished=10)])
def test_a_pause_is_not_lifted_where_that_alone_would_start_the_next_group(server: Hawkbit, last: Group) -> None:
    server.plan(6, status="paused", started=1)
    server.groups[6][0] = last
    assert service(server).resume("6") == "paused"
    assert server.started() == 1


def test_more_groups_than_a_page_holds_are_all_read(server: Hawkbit) -> None:
    server.plan(6, groups=250, status="running", started=120)
    service(server).advance("6", 121)
    assert server.started() == 121


def test_a_wave_without_a_group_is_refused(server: Hawkbit) -> None:
    server.plan(6, groups=2, status="running", started=2)
    with pytest.raises(Refused, match="has 2 groups"):
        service(server).advance("6", 3)


@pytest.mark.parametrize(("state", "fails"), [("finished", False), ("stopped", True), ("approval_denied", True)])
def test_a_roll_out_that_ended_there_starts_nothing(server: Hawkbit, state: str, fails: bool) -> None:
    server.plan(6, status=state, started=1)
    if fails:
        with pytest.raises(Refused, match="has ended there"):
            service(server).advance("6", 2)
    else:
        assert service(server).advance("6", 2) == state
    assert server.changes == []


FAULTS = [
    ((401, b""), Unavailable, "does not know this user"),
    ((403, b""), Unavailable, "needs HANDLE_ROLLOUT"),
    ((404, b""), Refused, "no roll-out 6"),
    ((409, b""), Unavailable, "at this moment"),
    ((429, b""), Unavailable, "too often"),
    ((500, b""), Unavailable, "failed .500."),
    ((503, b"<html>"), Unavailable, "failed .503."),
    ((302, b""), Refused, "elsewhere"),
    ((405, b""), Refused, "405"),
    ((400, b'{"errorCode": "hawkbit.server.error.other"}'), Refused, "other"),
    ((400, b"not json"), Refused, "not json"),
    (None, Unavailable, "can not be reached|did not answer"),
]


@pytest.mark.parametrize(
    ("fault", "kind", "says"), FAULTS, ids=[str(one[0][0]) if one[0] else "silence" for one in FAULTS]
)
def test_every_answer_says_whether_to_try_again_and_what_to_do(
    server: Hawkbit, fault: tuple[int, bytes] | None, kind: type[HearthwatchError], says: str
) -> None:
    server.plan(6, status="running", started=1)
    server.faults = [fault]
    with pytest.raises(kind, match=says) as raised:
        service(server).pause("6")
    assert "s3cret" not in str(raised.value)
    assert service(server).pause("6") == "paused"


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with hawkbit() as its:
        address = its.address
    with pytest.raises(Unavailable, match="can not be reached"):
        HawkbitRollouts(address).pause("6")


def test_wrong_credentials_are_told(server: Hawkbit) -> None:
    server.plan(6, status="running")
    with pytest.raises(Unavailable, match="HEARTHWATCH_ROLLOUT_SERVICE"):
        HawkbitRollouts(f"hawkbit://gate:other@{server.url}").status("6")


def test_a_missing_permission_is_named(server: Hawkbit) -> None:
    server.plan(6, status="running", started=1)
    server.permissions = frozenset({"READ_ROLLOUT", "HANDLE_ROLLOUT"})
    with pytest.raises(Unavailable, match="UPDATE_ROLLOUT"):
        service(server).advance("6", 2)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"id": 6}'])
def test_something_else_at_the_address_is_told(server: Hawkbit, body: bytes) -> None:
    server.faults = [(200, body)]
    with pytest.raises(Refused, match="is no hawkBit"):
        service(server).status("6")


@pytest.mark.parametrize("rollout", ["../targets", "6/start", "", "six", "6?q=x", "٦"])
def test_an_id_that_is_no_number_asks_nothing(server: Hawkbit, rollout: str) -> None:
    with pytest.raises(Refused, match="is a number"):
        service(server).pause(rollout)
    assert server.requests == []


def test_the_states_of_the_scripted_server_are_those_that_are_published(server: Hawkbit) -> None:
    server.plan(6, status="running", started=1)
    assert service(server).status("6") in ROLLOUT_STATES
    assert {one.status for one in server.groups[6]} <= GROUP_STATES
