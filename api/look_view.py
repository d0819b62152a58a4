"""A look of the cohort watch as the API gives it: the same values, with the keys of ``detail`` described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import WithJsonSchema

from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.comparison_looks import ComparisonLook

_NUMBER = {"type": "number"}
_NUMBER_OR_NULL = {"anyOf": [{"type": "number"}, {"type": "null"}]}
_PAIR = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
_RATIO = {"anyOf": [{"type": "array", "items": _NUMBER_OR_NULL, "minItems": 3, "maxItems": 3}, {"type": "null"}]}


def _described(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {**schema, "description": text}


def _object(text: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "description": text, "properties": properties}


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [dict(schema), {"type": "null"}], "description": schema["description"]}


_SAID = {
    "type": "object",
    "description": "A sentence as an English template with {gaps}, and what fills them: text, numbers, or further such sentences.",
    "properties": {
        "text": {"type": "string", "description": "The template."},
        "values": {"type": "object", "description": "What fills its gaps, by name."},
    },
}

DETAIL = _object(
    "What the verdict rests on. Looks keep the keys they were written with: old ones lack some. Pairs are (treatment, control).",
    kind={
        "enum": ["rate", "mean", "first_event"],
        "description": "What is compared: events per hour, amounts per hour, or the first event of each device.",
    },
    unit={"type": "string", "description": "Unit of the events or amounts."},
    direction={"enum": ["more", "less"], "description": "Which is worse."},
    assignment={
        "enum": ["randomised", "staged", "unknown"],
        "description": "The release's assignment as it is believed: `unknown` where the past refutes what was announced.",
    },
    margin=_described(_NUMBER, "Ratio up to which it is not called worse (where less is worse, down to its reciprocal)."),
    bounds=_described(_PAIR, "Between which ratios the interval must lie for `same`."),
    needed=_described(_NUMBER, "The e-value that makes it `worse` if it is the only one among all streams watched at that time."),
    said={"type": "array", "description": "The sentences of ``why``, none of them cut.", "items": _SAID},
    watch_list={"type": "boolean", "description": "Whether e-BH chose it for the watch list."},
    late=_or_null(
        _object(
            "The detector of late regressions, which begins anew every day.",
            e=_described(_NUMBER, "Its evidence, summed over the days it began on."),
            threshold=_described(_NUMBER, "Where it alarms: the average run length without a change, in days."),
            needed=_described(_NUMBER_OR_NULL, "The e-value that makes it `worse` by this detector among all streams watched then."),
            ratio=_described(_NUMBER_OR_NULL, "The ratio of what came since."),
            since=_described({"anyOf": [{"type": "string"}, {"type": "null"}]}, "The start that speaks loudest, ISO 8601."),
            whole={"type": "boolean", "description": "Whether that start is the beginning, so that nothing began late."},
            alarm={"type": "boolean", "description": "Whether it alarms: then it is on the watch list, and neither `same` nor `better`."},
        )
    ),
    decision=_or_null(
        _object(
            "What would be needed for a decision if the ratio stays as it is.",
            days=_described(_NUMBER_OR_NULL, "Further days; null where it would never come."),
            devices=_described(_NUMBER_OR_NULL, "Devices on the release; null where no number would do."),
            says={"type": "string", "description": "The same in one sentence."},
            said=_SAID,
        )
    ),
    strata={
        "type": "array",
        "description": "Up to eight strata, the one with the largest share first.",
        "items": _object(
            "One stratum: what its devices have in common, and its own comparison.",
            ratio=_described(_NUMBER_OR_NULL, "Its own ratio, without regard to the past."),
            devices=_described(_PAIR, "Devices."),
            events=_described(_PAIR, "Events or amounts."),
            share=_described(_NUMBER, "Its share of the squared influence, 0 to 1."),
        ),
    },
    contributors={
        "type": "array",
        "description": "Up to ten devices, the one with the largest share first.",
        "items": _object(
            "One device.",
            device={"type": "string", "description": "Its id."},
            arm={"enum": ["treatment", "control"], "description": "The arm through which it counts."},
            events=_described(_NUMBER, "Its events or amounts."),
            expected=_described(_NUMBER, "What control devices of its stratum had in as many hours."),
            share=_described(_NUMBER, "Its share of the squared influence, 0 to 1."),
        ),
    },
    adoption=_described(_PAIR, "Devices on the release now, and devices of the model."),
    devices_with_events=_described(_PAIR, "Devices with at least one event."),
    unadjusted=_described(_RATIO, "Ratio, low, high without regard to the devices' own past."),
    suspicion=_described(_RATIO, "The plain ratio, low, high where it is beyond the margin but who updated first may explain it."),
    first=_described(_RATIO, "Hazard ratio, low, high of first events."),
    before=_described(_NUMBER_OR_NULL, "The placebo: the same ratio over the time before the release."),
    arms_differed={"type": "boolean", "description": "The placebo speaks: the arms were different devices before the release."},
    arms_drifted={"type": "boolean", "description": "The arms were not even moving in parallel before the release."},
    beta=_described(_NUMBER, "How much of the difference in the past was taken off (CUPED; 1 for difference in differences)."),
    first_wave=_described({"type": "integer"}, "The hour of the first wave, hours since 1970 (UTC)."),
    last_arrival=_described({"type": "integer"}, "The hour in which the last device got it, hours since 1970 (UTC)."),
    pre_hours=_described({"type": "integer"}, "How long the time before the release is, hours."),
    cap=_described(_NUMBER_OR_NULL, "Events or amounts of a device beyond this much a UTC day are not counted; null where all count."),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LookView(CohortLook):
    """One look. ``e`` is the evidence that the release is worse, ``ratio`` with [``low``, ``high``] the effect where it can be estimated;
    the interval holds at all looks together."""

    detail: Annotated[Mapping[str, Any], WithJsonSchema(DETAIL)] = field(default_factory=dict)

    @classmethod
    def of(cls, look: CohortLook) -> LookView:
        """The look as it is shown."""
        return cls(release_id=look.release_id, **look.figures())


COMPARISON_DETAIL = {
    **DETAIL,
    "properties": {
        **DETAIL["properties"],
        "basis": {
            "type": "string",
            "description": "What it rests on: `exchangeable` where no device changed the value (an association), "
            "else each device against its own past.",
        },
        "may_speak": {"type": "boolean", "description": "Whether it counts among the streams of e-BH."},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonLookView(ComparisonLook):
    """One look at a comparison; the same values as of a look at a release."""

    detail: Annotated[Mapping[str, Any], WithJsonSchema(COMPARISON_DETAIL)] = field(default_factory=dict)

    @classmethod
    def of(cls, look: ComparisonLook) -> ComparisonLookView:
        """The look as it is shown."""
        return cls(comparison_id=look.comparison_id, **look.figures())
