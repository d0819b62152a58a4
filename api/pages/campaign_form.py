"""The form of a draft: devices, product, remedies, and the texts of each language with what the check says beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nicegui import ui

from alerts.campaigns import lifecycle
from alerts.campaigns.checks import Checked
from alerts.campaigns.content import AdvisoryTexts, Content, RecallContent, RecallTexts
from alerts.notices.catalogue import languages
from api.pages.actions import perform
from api.pages.frame import Visit, card
from api.pages.language import Speaker
from hearthwatch.catalogues import own_name
from hearthwatch.records.campaigns import Campaign

Read = Callable[[], Any]


@dataclass(slots=True)
class Form:
    """The fields of a form by their place in the content (``selection.models``), each with how it is read."""

    say: Speaker
    checked: Checked
    fields: dict[str, Read] = field(default_factory=dict)

    def line(self, place: str, label: str, value: object = "") -> None:
        """A text of one line."""
        made = ui.input(label, value=str(value or "")).classes("grow basis-64").props("dense outlined")
        self.fields[place] = lambda: str(made.value or "").strip()
        self.said(place)

    def many(self, place: str, label: str, values: tuple[str, ...]) -> None:
        """Values with commas or line ends between them."""
        made = (
            ui.textarea(label, value=", ".join(values)).classes("grow basis-64").props("dense outlined autogrow rows=1")
        )
        self.fields[place] = lambda: [
            one.strip() for one in str(made.value or "").replace("\n", ",").split(",") if one.strip()
        ]
        self.said(place)

    def text(self, place: str, label: str, value: str) -> None:
        """A text of several lines."""
        made = ui.textarea(label, value=value).classes("w-full").props("outlined autogrow rows=2")
        self.fields[place] = lambda: str(made.value or "").strip()
        self.said(place)

    def tick(self, place: str, label: str, *, value: bool) -> None:
        """Yes or no."""
        made = ui.checkbox(label, value=value)
        self.fields[place] = lambda: bool(made.value)

    def said(self, place: str) -> None:
        """What the check says of a place, below it."""
        for softening in self.checked.softenings:
            if softening.field == place:
                said = self.say(
                    "Line {line}: “{words}” – {why}",
                    line=softening.line,
                    words=softening.words,
                    why=self.say(softening.why),
                )
                ui.label(said).classes("text-negative text-sm w-full").props("role=alert")
        for problem in self.checked.problems:
            if problem.field == place:
                ui.label(problem_of(self.say, problem.message, problem.law)).classes("text-negative text-sm w-full")

    def content(self) -> dict[str, Any]:
        """What the form holds, as a content."""
        whole: dict[str, Any] = {}
        for place, read in self.fields.items():
            *path, last = place.split(".")
            part = whole
            for step in path:
                part = part.setdefault(step, {})
            part[last] = read()
        return whole


def problem_of(say: Speaker, message: str, law: str) -> str:
    """A problem as people read it, with the law that wants it."""
    return say(message) + (f" ({law})" if law else "")


def form_card(visit: Visit, say: Speaker, campaign: Campaign, content: Content, checked: Checked) -> None:
    """The form, and the button that keeps what it holds."""
    form = Form(say, checked)
    with card(say("What it says"), say("Several values have commas between them.")):
        title = ui.input(say("Title"), value=campaign.title).classes("w-full").props("dense outlined")
        _product(form, content)
        _selection(form, content)
        _texts(form, content)

        async def save() -> None:
            given = _given(form, content)
            await perform(
                visit.context,
                lambda connection: lifecycle.change(
                    connection,
                    campaign.id,
                    campaign.revision,
                    title=str(title.value or "").strip() or campaign.reference,
                    content=given,
                    actor=visit.person.name,
                    now=visit.context.clock.now(),
                ),
                say("Kept and checked"),
            )

        ui.button(say("Keep and check"), on_click=save).props("no-caps unelevated")


def _product(form: Form, content: Content) -> None:
    say = form.say
    with ui.row().classes("w-full gap-2"):
        form.line("product", say("Product, as customers call it"), content.product)
        form.line("brand", say("Brand"), content.brand)
        form.line("phone", say("Free phone number"), content.phone)
        form.line("url", say("Page with answers (https://…)"), content.url)
    if isinstance(content, RecallContent):
        with ui.row().classes("w-full gap-2"):
            form.line("picture_url", say("Picture of the product (https://…)"), content.picture_url)
        with ui.row().classes("w-full items-center gap-2"):
            ui.label(say("Remedies")).classes("hw-quiet")
            for name, label in _remedies(say).items():
                form.tick(f"remedies.{name}", label, value=name in content.remedies)
        form.said("remedies")
        form.text("one_remedy_because", say("Where only one remedy is offered: why"), content.one_remedy_because)
        return
    with ui.row().classes("w-full gap-2"):
        form.many("weaknesses", say("Weaknesses (CVE numbers)"), content.weaknesses)
        form.line("fixed_version", say("Version that mends it"), content.fixed_version)
        form.tick("exploited", say("Attackers use it at this moment"), value=content.exploited)


def _remedies(say: Speaker) -> Mapping[str, str]:
    return {"repair": say("repair"), "replacement": say("replacement"), "refund": say("refund")}


def _selection(form: Form, content: Content) -> None:
    say, chosen = form.say, content.selection
    ui.label(say("Which devices")).classes("font-semibold")
    form.said("selection")
    with ui.row().classes("w-full gap-2"):
        form.many("selection.models", say("Product models"), chosen.models)
        form.many("selection.hardware", say("Hardware"), chosen.hardware)
        form.line("selection.firmware_from", say("Firmware from"), chosen.firmware_from)
        form.line("selection.firmware_below", say("Firmware below"), chosen.firmware_below)
    with ui.row().classes("w-full gap-2"):
        form.line("selection.made_from", say("Made from (2026-01-31)"), chosen.made_from)
        form.line("selection.made_to", say("Made until"), chosen.made_to)
        lines = tuple(f"{name}={'|'.join(values)}" for name, values in chosen.attributes.items())
        form.many("selection.attributes", say("Batch, supplier and the like (batch=24-07|24-08)"), lines)
    with ui.row().classes("w-full gap-2"):
        form.many("selection.serials", say("Serial numbers"), chosen.serials)
        form.many("selection.devices", say("Devices"), chosen.devices)
        form.line("repeat_days", say("Write again after days"), content.repeat_days)
        form.line("repeats", say("At most so many times"), content.repeats)


def _texts(form: Form, content: Content) -> None:
    say = form.say
    labels = _labels(say, content)
    for language in dict.fromkeys((*languages(), *content.texts)):
        texts = content.texts.get(language) or (
            RecallTexts() if isinstance(content, RecallContent) else AdvisoryTexts()
        )
        ui.label(own_name(language)).classes("font-semibold")
        form.said(f"texts.{language}")
        for name, label in labels.items():
            form.text(f"texts.{language}.{name}", label, getattr(texts, name))


def _labels(say: Speaker, content: Content) -> Mapping[str, str]:
    if isinstance(content, RecallContent):
        return {
            "hazard": say("Hazard: what can happen to whom"),
            "what_to_do": say("What to do, after “Stop using it immediately”"),
            "sold": say("When, where and by whom it was sold"),
            "find_number": say("Where the serial or batch number stands"),
        }
    return {"what": say("What has happened"), "mitigation": say("What users can do until it is mended")}


def _given(form: Form, content: Content) -> dict[str, Any]:
    """The form's fields as a content: empty ones are left out, so that they are what they are by default."""
    given = form.content()
    if "remedies" in given:
        given["remedies"] = [name for name, wanted in given["remedies"].items() if wanted]
    chosen = given["selection"]
    pairs = [one.partition("=") for one in chosen["attributes"]]
    chosen["attributes"] = {name.strip(): values.split("|") for name, _, values in pairs}
    given["selection"] = {name: value for name, value in chosen.items() if value}
    given["texts"] = {
        language: texts
        for language, texts in given["texts"].items()
        if any(texts.values()) or language in content.texts
    }
    return {name: value for name, value in given.items() if value not in ("", []) or name == "remedies"}
