"""What staff read about findings that are held out, in English and Simplified Chinese."""

from __future__ import annotations

from alerts.policy.hold_out import Learned
from hearthwatch.reasons import CHINESE, ENGLISH
from hearthwatch.records.hold_outs import HoldOut

SEND_NOW = {ENGLISH: "Send now", CHINESE: "立即发出"}
SENT = {ENGLISH: "The notice goes out with the policy's next round", CHINESE: "通知将随下一轮策略发出"}
HELD_OUT = {ENGLISH: "Held out", CHINESE: "已保留"}
WAS_HELD_OUT = {ENGLISH: "Was held out", CHINESE: "曾被保留"}
TO_LEARN = {ENGLISH: "Held out to learn", CHINESE: "为学习而保留"}
SHARE = {
    ENGLISH: "{share} of findings, never where safety is concerned (docs/policy.md).",
    CHINESE: "占发现的 {share}，涉及安全的从不保留（docs/policy.md）。",
}

_WHY = {
    "expired": ("its time was over", "期限已满"),
    "sent_now": ("{by} had the notice sent", "{by} 已决定发出通知"),
    "grave": ("it became a matter of safety", "已涉及安全"),
    "explained": ("a firmware release explains or mends it", "已由固件版本解释或修复"),
    "policy": ("the policy holds nothing out any more", "策略不再保留通知"),
}


def explained(one: HoldOut) -> dict[str, str]:
    """What it means that a finding is or was held out, by language."""
    share, until = _share(one.share), f"{one.until:%Y-%m-%d}"
    if one.ended_at is not None:
        english, chinese = (words.format(by=one.ended_by) for words in _WHY[one.why_ended or "expired"])
        day = f"{one.ended_at:%Y-%m-%d}"
        return {
            ENGLISH: f"It was held out until {day}: {english}. It is treated like any other finding now.",
            CHINESE: f"该发现曾被保留至 {day}：{chinese}。现在按普通发现处理。",
        }
    return {
        ENGLISH: f"Held out: {share[0]} such findings is, to learn what happens without a notice. Until {until} the customer is not told"
        " and no ticket opens by itself.",
        CHINESE: f"已保留：{share[1]}此类发现会被保留，以了解不发通知时会发生什么。{until} 之前不通知客户，也不自动开工单。",
    }


def result(known: Learned) -> dict[str, str]:
    """What was learned from hold-outs, by language."""
    english = f"{known.standing} held out now, {known.cut_short} ended early."
    chinese = f"当前保留 {known.standing} 项，提前结束 {known.cut_short} 项。"
    if known.share_failed is None or known.low is None or known.high is None:
        return {ENGLISH: f"{english} None has come to its end yet.", CHINESE: f"{chinese}尚无期满的结果。"}
    span = f"{known.low:.0%} – {known.high:.0%}"
    return {
        ENGLISH: f"{english} Of {known.known} that came to their end, {known.failed} failed within 30 days without a notice:"
        f" {known.share_failed:.0%} (95 % interval {span}).",
        CHINESE: f"{chinese}已有结果的 {known.known} 项中，{known.failed} 项在 30 天内未经通知而发生故障："
        f"{known.share_failed:.0%}（95 % 区间 {span}）。",
    }


def _share(share: float) -> tuple[str, str]:
    numbers = {20: "twenty", 10: "ten", 5: "five", 100: "a hundred", 50: "fifty"}
    one_in = round(1 / share) if share else 0
    if one_in and abs(1 / one_in - share) < 1e-9:
        return f"one in {numbers.get(one_in, str(one_in))}", f"每 {one_in} 项中有 1 项"
    return f"a share of {share:.3g} of", f"{share:.3g} 的"
