"""The service that deploys beside us, by its address."""

from __future__ import annotations

from alerts.rollouts.hawkbit import SCHEMES, HawkbitRollouts
from hearthwatch.errors import Invalid
from hearthwatch.ports import RolloutService

NONE = "none"


class OwnOffers:
    """No service: devices get a release by Hearthwatch's own offers alone, and those obey the gate by themselves."""

    name = NONE

    def status(self, rollout: str) -> str:
        """Nobody else has a state of it."""
        return NONE

    def pause(self, rollout: str) -> str:
        """Nobody else has to be told."""
        return NONE

    def resume(self, rollout: str) -> str:
        """Nobody else has to be told."""
        return NONE

    def advance(self, rollout: str, group: int) -> str:
        """Nobody else has to be told."""
        return NONE


def open_service(address: str) -> RolloutService:
    """The service at an address; empty: none. Raises `Invalid` for an address that nothing serves."""
    if not address:
        return OwnOffers()
    scheme = address.partition(":")[0]
    if scheme in SCHEMES:
        return HawkbitRollouts(address)
    raise Invalid(f"no roll-out service speaks {scheme!r}; use hawkbits://user:password@host", where="rollout_service")
