"""Mapping files, as the doctor sees them: what they are called, what they listen to, and which topics they take from others."""

from __future__ import annotations

from collections.abc import Iterator

from hearthwatch.run.checks import Check, advice, well
from hearthwatch.run.mappings import read_mapping, spoken
from hearthwatch.settings import Settings
from hearthwatch.wire.registry import taken

_SHOWN = 3


def check_mappings(settings: Settings) -> Iterator[Check]:
    """Each mapping file. Raises `Invalid` for one that is wrong, or that claims what is another's."""
    if not settings.mappings:
        yield well("mappings", "none: no maker's own topics are mapped")
        return
    conventions = {one.name: one for one in spoken(settings)}
    for path in settings.mappings:
        mapping = read_mapping(path)
        name = f"mappings.{mapping.name}"
        said = f"{path}: {', '.join(mapping.filters[:_SHOWN])}{', ...' if len(mapping.filters) > _SHOWN else ''}"
        others = [other for other in conventions.values() if other.name != mapping.name]
        shared = taken(mapping, others)
        if not shared:
            yield well(name, said)
            continue
        whose = ", ".join(f"{one} ({other})" for one, other in shared[:_SHOWN])
        remedy = "if that is not meant, begin its filters with a level of the maker's own"
        yield advice(name, f"{said}; others would read some of its topics, and it goes before them: {whose}", remedy)
