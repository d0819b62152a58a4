"""The costs file, and what the doctor says of it: from which probability on each part is worth a finding."""

from __future__ import annotations

from collections.abc import Iterator

from analytics.decision.cost_file import CostSheet, read_costs
from hearthwatch.run.checks import Check, well
from hearthwatch.settings import Settings


def configured_costs(settings: Settings) -> CostSheet | None:
    """The costs that decide on prognoses, if there are any. Raises `Invalid`, which names the file and the key."""
    return read_costs(settings.prognosis_costs_file) if settings.prognosis_costs_file else None


def check_costs(settings: Settings) -> Iterator[Check]:
    """Each threshold. Raises `Invalid` for a file that is wrong."""
    sheet = configured_costs(settings)
    if sheet is None:
        yield well("costs", f"none: a probability of {100 * settings.prognosis_alarm:g} % decides for all parts")
        return
    lines = {"other parts": sheet.default, **sheet.parts, **{" ".join(key): one for key, one in sheet.models.items()}}
    said = ", ".join(f"{name} from {100 * costs.threshold:.1f} %" for name, costs in lines.items())
    yield well("costs", f"{settings.prognosis_costs_file}: {said}")
