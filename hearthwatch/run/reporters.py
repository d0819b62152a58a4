"""Who answers people that reported something, as the settings say."""

from __future__ import annotations

from alerts.intake.answers import Desk
from hearthwatch.settings import Settings


def desk_of(settings: Settings, secret_key: str) -> Desk:
    """The maker's name, pages and address for answers, with the key that signs links and tags."""
    return Desk(settings.brand_name, settings.public_url, settings.brand_reply_to, secret_key)
