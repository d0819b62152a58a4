"""Words that mean danger to people: whatever else a report says, it then comes first and engineers hear of it.

Better once too often: negations are not understood on purpose. Only the names of things (smoke detectors, gas meters) are no alarm.
"""

from __future__ import annotations

import re

_HARMLESS = re.compile(
    r"smoke[- ]?(?:detector|alarm|sensor)s?|fire[- ]?(?:alarm|detector|wall|place|stick|tv|fox|door)s?"
    r"|gas[- ]?(?:meter|detector|sensor|alarm)s?|shock[- ]?(?:sensor|proof|detector)s?|cease[- ]?fire"
    r"|烟雾(?:报警|警报|探测|传感)器?|烟感|(?:燃气|煤气)(?:表|报警器?|探测器?|传感器?|灶)|防火墙|火警报警器?|震动传感器",
    re.IGNORECASE,
)
_ENGLISH = re.compile(
    r"\b(?:smok(?:e|es|ed|ing)|on fire|fires?|flames?|burn(?:s|t|ed|ing)?|scorch\w*|charred|spark(?:s|ed|ing)?"
    r"|shocks?|shocked|electrocut\w*|gas|explo(?:de[sd]?|ding|sion)|melt(?:s|ed|ing)?|swollen|bulg(?:es|ed|ing)"
    r"|too hot to touch|carbon monoxide|injur(?:y|ed|ies))\b",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"冒烟|起烟|着火|起火|失火|火苗|火灾|燃烧|烧焦|烧坏|烧了|焦味|糊味|焦糊|漏电|触电|电击|电到|电了一下|麻手|火花|爆炸|燃气|煤气|漏气|瓦斯"
    r"|一氧化碳|鼓包|膨胀|熔化|融化|烫伤|受伤|烫手"
)


def signs(text: str) -> tuple[str, ...]:
    """The words of a text that mean danger, in lower case, each once."""
    rest = _HARMLESS.sub(" ", text)
    found = [match.group().lower() for match in (*_ENGLISH.finditer(rest), *_CHINESE.finditer(rest))]
    return tuple(dict.fromkeys(found))
