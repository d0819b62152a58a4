"""Roll-outs, as the doctor sees them: whether the service that deploys answers for each of them, and the webhook can sign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from alerts.channels.signing import keys_of
from alerts.rollouts.services import NONE, open_service
from alerts.rollouts.webhook import SETTING
from hearthwatch.errors import HearthwatchError
from hearthwatch.ports import RolloutService
from hearthwatch.records import rollouts
from hearthwatch.records.database import open_database
from hearthwatch.records.rollouts import LIVE, Rollout
from hearthwatch.run.checks import Check, advice, unfit, well
from hearthwatch.settings import Settings


def check_rollouts(settings: Settings) -> Iterator[Check]:
    """The service, with the state of every live roll-out there (it is only read), and the webhook (nothing is sent).

    Raises `Invalid` for an address that nothing serves.
    """
    service = open_service(settings.rollout_service.get_secret_value())
    live = [one for one in _live(settings) if one.service_id is not None]
    if service.name != NONE and not live:
        yield well(
            "rollout_service", f"{service.name} is configured; no live roll-out is deployed by it, so it was not asked"
        )
    for rollout in live:
        yield _asked(service, rollout)
    yield from _webhook(settings)


def _asked(service: RolloutService, rollout: Rollout) -> Check:
    name, theirs = f"rollout_service.{rollout.id}", rollout.service_id or ""
    if service.name != rollout.service:
        says = f"roll-out {rollout.id} is deployed by {rollout.service}, and what is configured is {service.name}"
        return unfit(name, says, "set rollout_service; until then nobody pauses it")
    try:
        state = service.status(theirs)
    except HearthwatchError as error:
        return unfit(name, error.message, "see the message; until then nobody pauses it (docs/rollouts.md)")
    return well(name, f"{service.name} calls its roll-out {theirs} {state}")


def _webhook(settings: Settings) -> Iterator[Check]:
    url = settings.rollout_webhook.get_secret_value()
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield unfit("rollout_webhook", "it is no address of a web server", "set rollout_webhook to https://...")
        return
    keys_of(settings.rollout_webhook_secret.get_secret_value(), where=SETTING)
    if parts.scheme == "http":
        yield advice(
            "rollout_webhook", f"what is posted to {parts.hostname} is signed, but not encrypted", "use https://"
        )
    else:
        yield well("rollout_webhook", f"decisions are posted to {parts.hostname}, signed (nothing was sent)")


def _live(settings: Settings) -> Sequence[Rollout]:
    """The roll-outs that the gate decides of. None where the records are not ready: that is said where they are examined."""
    address = settings.records_address
    if address.startswith("sqlite:") and not Path(address.partition("?")[0].removeprefix("sqlite:///")).is_file():
        return []  # opening it would make it
    database = open_database(address)
    try:
        if database.is_fresh() or not database.schema_is_current():
            return []
        with database.reading() as connection:
            return rollouts.list_rollouts(connection, statuses=[*LIVE, "paused"])
    finally:
        database.close()
