"""Policies of a few lines, to try one thing at a time."""

from __future__ import annotations

from alerts.policy import versions
from alerts.policy.file import Policy, parse
from tests.unit.alerts.world import World

HEAD = 'name = "p"\n[quiet_hours]\nfrom = "00:00"\nto = "00:00"\n'
CHECK_UP = '[[rules]]\nname = "check up"\nnotice = "check_up"\nticket = true\n'
SAFETY = '[[rules]]\nname = "danger"\nmodes = ["overheating"]\nnotice = "check_up"\npurpose = "safety"\nticket = true\n'


def policy(text: str) -> Policy:
    """The policy of some lines after the common head."""
    return parse(HEAD + text)


def keep(world: World, text: str, mode: str = "live", *, actor: str = "ann") -> int:
    """The same in a world, in a mode; returns its version."""
    with world.database.transaction() as connection:
        added = versions.add_policy(connection, HEAD + text, actor, world.now)
        if mode != added.mode:
            versions.set_mode(connection, added.version, mode, actor, world.now)
        return added.version
