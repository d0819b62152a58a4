"""What a person wrote anew in a mail: without what they answer to and without their signature.

Forms of quoting differ by program and language; those of Gmail, Apple Mail, Outlook, Thunderbird, QQ Mail and NetEase are known here.
Where nothing would be left, all of it is kept: better a quote too much than a word too few.
"""

from __future__ import annotations

import re

_WRITES = re.compile(
    r"^(?:(?:On|At)\b.{6,200}\bwrote:|Am\b.{6,200}\bschrieb\b.{0,120}:|Le\b.{6,200}\ba écrit\s*:|El\b.{6,200}\bescribió:"
    r"|.{0,200}(?:于|在).{0,120}(?:写道|寫道)[:：])\s*$"
)
_BEGINS = re.compile(r"^(?:On|At|Am|Le|El)\b.{6,200}$|^(?:在|于).{4,200}$")
_ORIGINAL = re.compile(
    r"^\s*(?:-{2,}\s*(?:Original(?: Message)?|Ursprüngliche Nachricht|Forwarded message|原始邮件|原始郵件|转发的邮件|回复的原邮件)\s*-{2,}"
    r"|_{10,})\s*$",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"^\s*>?\s*\*?(?:From|Von|De|发件人|寄件者|寄件人|Sent|Gesendet|发送时间|发送日期|日期|Date|To|An|收件人|Subject|Betreff|主题|主旨)\*?\s*[:：]"
)
_SIGNATURE = re.compile(
    r"^(?:--\s?|Sent from my .{2,40}|Von meinem .{2,40} gesendet|Get Outlook for (?:iOS|Android).*|发自我的.{1,30}|从我的.{1,20}发送"
    r"|来自我的.{1,30})$"
)
_FIELDS_OF_A_QUOTE = 3
_LONGEST_LINE = 500
"""Characters of a line that may be somebody's words about a quote; a longer one is a paragraph."""


def said(text: str) -> str:
    """The part of a text that was written for this mail."""
    lines = _before_original(text.split("\n"))
    lines = _without_quotes(lines)
    lines = _before_signature(lines)
    return "\n".join(lines).strip() or "\n".join(_without_quotes(text.split("\n"))).strip() or text.strip()


def _before_original(lines: list[str]) -> list[str]:
    """Lines before a block of headers that a program copied from the mail it answers."""
    for place, line in enumerate(lines):
        if len(line) > _LONGEST_LINE:
            continue
        if _ORIGINAL.match(line) and any(_FIELD.match(later) for later in lines[place + 1 : place + 6]):
            return lines[:place]
        block = lines[place : place + _FIELDS_OF_A_QUOTE + 1]
        if _FIELD.match(line) and sum(1 for one in block if _FIELD.match(one)) >= _FIELDS_OF_A_QUOTE:
            return lines[:place]
    return lines


def _without_quotes(lines: list[str]) -> list[str]:
    """Lines that are not marked as another's; the sentence that leads to such lines goes with them."""
    kept: list[str] = []
    for place, line in enumerate(lines):
        if line.lstrip().startswith(">"):
            _drop_lead(kept)
        elif len(line) < _LONGEST_LINE and _WRITES.match(line) and not any(one.strip() for one in lines[place + 1 :]):
            continue  # it led to a quote that the program left out
        else:
            kept.append(line)
    return kept


def _drop_lead(kept: list[str]) -> None:
    """Take the sentence that says who wrote what follows, on one line or two, from the end of what is kept."""
    end = len(kept)
    while end and not kept[end - 1].strip():
        end -= 1
    if sum(len(line) for line in kept[max(0, end - 2) : end]) > _LONGEST_LINE:
        return
    if end and _WRITES.match(kept[end - 1].strip()):
        del kept[end - 1 :]
    elif (
        end > 1
        and _WRITES.match(f"{kept[end - 2].strip()} {kept[end - 1].strip()}")
        and _BEGINS.match(kept[end - 2].strip())
    ):
        del kept[end - 2 :]


def _before_signature(lines: list[str]) -> list[str]:
    for place, line in enumerate(lines):
        if place and len(line) < _LONGEST_LINE and _SIGNATURE.match(line):
            return lines[:place]
    return lines
