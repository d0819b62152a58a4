"""The words of the customer's page itself: its buttons, headings and answers. What a notice says comes from the notices' own catalogues.

A further language is a further entry; a language without one reads the page in English.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo

from babel.dates import format_date, format_time

ENGLISH = "en"
CHINESE = "zh_Hans"

LANGUAGES: Mapping[str, str] = {ENGLISH: "English", CHINESE: "简体中文"}
"""The languages the page has a switch for, each in its own name."""

WORDS: Mapping[str, Mapping[str, str]] = {
    ENGLISH: {
        "device": "Your device",
        "product": "Product",
        "device_id": "Device number",
        "software": "Software",
        "what_now": "What would you like to do?",
        "accept_update": "Install version {version}",
        "visit": "Ask for a visit",
        "later": "Remind me later",
        "not_mine": "This is not my device",
        "answered_accept_update": "Thank you. The update is on its way to your device.",
        "answered_visit": "Thank you. We know that you would like a visit, and will contact you about the time.",
        "answered_later": "All right. We will remind you.",
        "answered_not_mine": "Thank you for telling us. We will look into whose device this is; you need not do anything.",
        "progress": "How it is going",
        "ticket": "Service case {number}",
        "ticket_open": "We know about it and are planning what to do.",
        "ticket_assigned": "A technician is taking care of it.",
        "ticket_scheduled": "A visit is arranged.",
        "ticket_waiting": "We are waiting for something we need, such as a spare part.",
        "ticket_closed": "This is settled.",
        "visit_at": "Visit: {when}",
        "technician": "Technician: {name}",
        "step_opened": "We opened the case",
        "step_assigned": "A technician took it over",
        "step_scheduled": "A visit was arranged",
        "step_closed": "The case was settled",
        "step_reopened": "The case was opened again",
        "step_customer": "We heard from you",
        "nothing_to_do": "There is nothing for you to do at the moment.",
        "phone": "You can also call us: {phone}",
        "privacy": "How we handle your data",
        "language": "Language",
        "problem": "That did not work. {reason}",
        "problem_sent": "This was sent before, or it is no longer possible. The page below shows how things are now.",
        "problem_old": "The page was open for too long. Please choose again.",
        "problem_unknown": "Please choose one of the buttons.",
        "gone": "This link is no longer valid",
        "gone_note": "It has run out, was withdrawn, or the device is somebody else's now. A newer letter holds a newer link.",
        "away": "The page is away for a moment",
        "away_note": "Please try again in a few minutes.",
    },
    CHINESE: {
        "device": "您的设备",
        "product": "产品",
        "device_id": "设备编号",
        "software": "软件版本",
        "what_now": "您希望怎么处理？",
        "accept_update": "安装 {version} 版本",
        "visit": "预约上门服务",
        "later": "稍后提醒我",
        "not_mine": "这不是我的设备",
        "answered_accept_update": "谢谢。更新正在发送到您的设备。",
        "answered_visit": "谢谢。我们已收到您的上门服务请求，会与您联系确定时间。",
        "answered_later": "好的，我们会再提醒您。",
        "answered_not_mine": "感谢您告知。我们会核实这台设备的归属，您无需再做任何操作。",
        "progress": "处理进度",
        "ticket": "服务单 {number}",
        "ticket_open": "我们已了解情况，正在安排处理。",
        "ticket_assigned": "已有技术人员负责处理。",
        "ticket_scheduled": "上门时间已约定。",
        "ticket_waiting": "我们正在等待所需的物品，例如备件。",
        "ticket_closed": "此事已处理完毕。",
        "visit_at": "上门时间：{when}",
        "technician": "技术人员：{name}",
        "step_opened": "我们创建了服务单",
        "step_assigned": "技术人员已接手",
        "step_scheduled": "已约定上门时间",
        "step_closed": "服务单已完成",
        "step_reopened": "服务单已重新打开",
        "step_customer": "我们收到了您的回复",
        "nothing_to_do": "目前您无需进行任何操作。",
        "phone": "您也可以致电我们：{phone}",
        "privacy": "我们如何处理您的数据",
        "language": "语言",
        "problem": "操作未成功。{reason}",
        "problem_sent": "此操作之前已提交，或已无法进行。下方显示的是当前状态。",
        "problem_old": "页面打开时间过长，请重新选择。",
        "problem_unknown": "请选择其中一个按钮。",
        "gone": "此链接已失效",
        "gone_note": "链接已过期或被撤回，或者设备现在属于其他人。较新的通知中有新的链接。",
        "away": "页面暂时无法访问",
        "away_note": "请几分钟后再试。",
    },
}

# On the page itself there is no link below: there are buttons.
_POINTERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    ENGLISH: ((" on your page (link below)", " with the buttons below"), ("this with the buttons below", "this here")),
    CHINESE: (("在您的专属页面（链接见下方）上", "用下方按钮"), ("在专属页面（链接见下方）上", "在此页面")),
}


class Words:
    """Speaks the page's words in one language, in the time zone of the home."""

    def __init__(self, language: str, zone: tzinfo) -> None:
        self.language = language if language in WORDS else ENGLISH
        self._zone = zone

    @property
    def tag(self) -> str:
        """The language as HTML names it."""
        return self.language.replace("_", "-")

    def __call__(self, key: str, **names: object) -> str:
        return WORDS[self.language][key].format(**names)

    def date(self, at: datetime) -> str:
        """A day as people write it there."""
        return format_date(at.astimezone(self._zone).date(), format="long", locale=self.language)

    def moment(self, at: datetime) -> str:
        """A day and a time of it."""
        local = at.astimezone(self._zone)
        day = format_date(local.date(), format="full", locale=self.language)
        return f"{day} {format_time(local.time(), format='short', locale=self.language)}"

    def on_the_page(self, sentence: str) -> str:
        """A sentence of a letter as it reads where the letter's link has led."""
        for pointer, here in _POINTERS[self.language]:
            sentence = sentence.replace(pointer, here)
        return sentence
