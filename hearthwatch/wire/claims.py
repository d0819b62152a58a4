"""What a device says about itself where it says it in pieces: each piece completes its identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearthwatch.wire.draft import Draft, text_or_none
from hearthwatch.wire.limits import KNOWN_COPY


def claim(draft: Draft, stream: str, said: Mapping[str, Any]) -> str | None:
    """An identity of all that is known: ``model``, ``hardware``, ``firmware``, ``serial``; or the reason to ignore a retained copy.

    State: ``{"claims": {...}}``. What is no short text is left out.
    """
    known = draft.recall("claims")
    earlier = dict(known) if isinstance(known, dict) else {}
    claims = {**earlier, **{name: text for name, value in said.items() if (text := text_or_none(value))}}
    if claims == earlier and draft.message.retain:
        return KNOWN_COPY
    draft.keep("claims", claims or None)
    draft.learn_firmware(stream, said.get("firmware"))
    draft.identity(**claims)
    return None
