"""A preventive replacement says part, day, warranty and price: in letters, on the page in both languages, in tests and to webhooks."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from alerts import preview
from alerts.delivery.events import Endpoint, announce
from alerts.notices import replacement
from alerts.notices.issue import Mail
from alerts.notices.replacement import offered
from alerts.remedies.terms import RemedyTerms
from hearthwatch.records import warranties
from hearthwatch.records.warranties import Told, Warranty
from tests.unit.alerts.policy.texts import CHECK_UP, policy
from tests.unit.alerts.world import BRAND, NOON, World

PRICES = """
[remedies]
currency = "CNY"
visit = { cost = 8500, price = 9500, helps = 95 }
parts.motor = { cost = 4000, price = 5900 }
"""
OVER, LASTS = NOON - timedelta(days=30), NOON + timedelta(days=200)


def warranty(world: World, device: str, until: str | None) -> None:
    day = {"over": OVER, "lasts": LASTS}.get(until or "")
    if day is not None:
        with world.database.transaction() as connection:
            warranties.tell(connection, [Told(device, day)], "test", world.now)


def letter(world: World, *, until: str | None, prices: str, language: str = "en") -> str:
    """What the owner of a lock with a worn motor reads."""
    world.policy(more=prices)
    world.home(language=language)
    warranty(world, "lock-1", until)
    world.stand(mode="motor_wear", part="motor")
    world.run()
    (one,) = world.customers_letters()
    assert "{" not in one.text
    return one.text


@pytest.mark.parametrize(
    ("until", "prices", "language", "words"),
    [
        ("lasts", "", "en", "This costs you nothing: the warranty lasts until November 17, 2026."),
        ("lasts", PRICES, "zh-CN", "您无需支付任何费用：保修期至2026年11月17日。"),
        ("over", PRICES, "en", "The warranty ended on April 1, 2026. The price is CN¥154.00, and we begin only if you agree."),
        ("over", PRICES, "zh-CN", "保修已于2026年4月1日到期。费用为 ¥154.00，您同意后我们才会开始。"),
        ("over", "", "en", "The warranty ended on April 1, 2026. We tell you the price first, and begin only if you agree."),
        ("over", "", "zh-CN", "保修已于2026年4月1日到期。我们会先告知价格，您同意后才会开始。"),
        (None, PRICES, "en", "if not, the price is CN¥154.00, and we begin only if you agree."),
        (None, "", "en", "if not, we tell you the price first, and begin only if you agree."),
    ],
)  # fmt: skip
def test_the_letter_says_who_pays_how_much_in_both_languages(
    world: World, until: str | None, prices: str, language: str, words: str
) -> None:
    told = letter(world, until=until, prices=prices, language=language)
    assert words in told
    assert ("What needs replacing: the motor." in told) == (language == "en")
    assert ("Please do this by May 15, 2026." in told) == (language == "en")


@pytest.mark.parametrize(
    "half",
    [
        "[remedies]\nvisit = { cost = 1, price = 2, helps = 95 }",
        "[remedies]\nparts.motor = { cost = 1, price = 2 }",
        "",
    ],
)
def test_a_price_that_the_maker_named_only_half_is_no_offer(half: str) -> None:
    terms = policy(CHECK_UP + half).remedies
    assert offered(terms, Warranty("lock-1", OVER, "told"), "motor", None, NOON).price is None


def test_what_is_free_without_a_warranty_is_said_to_be_free() -> None:
    none = {"cost": 0, "price": 0}
    free = RemedyTerms.model_validate({"visit": {**none, "helps": 95}, "part": none})
    offer = offered(free, Warranty("lock-1", OVER, "told"), "motor", None, NOON)
    assert (offer.price, offer.cost("en").covered, offer.cost("en").price) == (0, True, None)


def test_an_offer_is_read_as_it_was_kept_and_an_older_notice_has_none() -> None:
    offer = offered(RemedyTerms(), Warranty("lock-1", LASTS, "told"), "motor", NOON, NOON)
    assert replacement.of_reasons({replacement.KEY: json.loads(json.dumps(offer.kept))}) == offer
    assert (replacement.of_reasons(None), replacement.of_reasons({"rule": "x"})) == (None, None)


def test_a_further_device_in_the_letter_has_its_own_part_and_cost(world: World) -> None:
    world.policy(more=PRICES)
    world.home(devices_=("lock-1", "lock-2"))
    warranty(world, "lock-1", "lasts")
    warranty(world, "lock-2", "over")
    world.stand("lock-1", "battery_fade", part="battery")
    world.stand("lock-2", "motor_wear", part="motor", severity="warning")
    world.run()
    (one,) = world.customers_letters()
    assert (
        "Also: The motor of your LOCK-2 is getting weak (lock-2). What needs replacing: the motor. The warranty ended on April 1, 2026. "
        "The price is CN¥154.00, and we begin only if you agree."
    ) in one.text


def test_preview_and_test_letter_say_what_the_customer_would_read(world: World) -> None:
    world.policy("observe", more=PRICES)
    world.home()
    warranty(world, "lock-1", "over")
    finding = world.stand(mode="motor_wear", part="motor")
    mail = Mail(BRAND, "http://hw.test", timedelta(days=30))
    with world.database.transaction() as connection:
        shown = preview.preview(connection, finding.id, mail=mail, now=world.now)
        preview.test_send(
            connection, finding.id, "mailbox://ann", mail=mail, language="en", kind="replacement", actor="ann", now=world.now
        )  # fmt: skip
    world.deliver()
    (sent,) = world.letters("mailbox://ann")
    for words in (shown.notices[0].letter.text, sent.text):
        assert "What needs replacing: the motor." in words
        assert "The price is CN¥154.00" in words


def test_the_reminder_says_it_again(world: World) -> None:
    letter(world, until="over", prices=PRICES)
    world.press(world.token(), "later")
    world.pass_time(days=8)
    world.observe("lock-1", "motor_wear", part="motor")
    world.run()
    reminder = world.customers_letters()[-1].text
    assert "You asked us to remind you of this." in reminder
    assert "The price is CN¥154.00" in reminder


def test_webhooks_are_told_in_fields_and_of_other_kinds_nothing(world: World) -> None:
    announce(world.database, [Endpoint("erp", ("notice.*",))], world.now)
    letter(world, until="over", prices=PRICES)
    world.home(2, devices_=("lock-2",))
    world.stand("lock-2", "sensor_drift")
    world.run()
    announce(world.database, [Endpoint("erp", ("notice.queued",))], world.now)
    told = [json.loads(item.payload["text"])["data"] for item in world.outbox() if item.kind == "event"]
    assert {one["kind"]: one["replacement"] for one in told} == {
        "replacement": {
            "part": "motor",
            "act_by": "2026-05-15T12:00:00Z",
            "covered": False,
            "warranty_until": "2026-04-01T12:00:00Z",
            "price": 15400,
            "currency": "CNY",
        },
        "check_up": None,
    }
