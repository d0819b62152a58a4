"""Value templates of Home Assistant discovery: the few that only pick a value, read as data and never run.

A template is parsed with Jinja2's parser and then walked. Accepted is one expression in braces: a path into ``value_json``
(attributes, constant keys and indexes), a constant, and the filters ``float``, ``int``, ``round`` and ``default``. Everything else
(arithmetic, conditions, calls, loops, other names) is `Invalid`: it comes from the network, and even Jinja2's sandbox lets it take
all memory and time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes

from hearthwatch.errors import Invalid
from hearthwatch.wire.limits import MAX_NUMBER, is_wholesome, number, shown

MAX_TEMPLATE = 512
"""Characters of a template."""
MAX_STEPS = 16
"""Steps of a path and filters of an expression."""

Expression = Sequence[Any]
"""JSON: ``["path", [keys], [filters]]`` or ``["is", constant, [filters]]``; a filter is ``[name, arguments...]``."""

MISSING = object()
"""What a path leads to that is not in the payload."""

_ENVIRONMENT = jinja2.Environment(autoescape=True)
_FILTERS = {"float": 1, "int": 1, "round": 1, "default": 2, "d": 2}
"""Arguments that each filter may have here."""


@lru_cache(maxsize=1024)
def compile_template(text: str) -> Expression:
    """The expression of a template. Raises `Invalid` for all that is more than picking a value."""
    if len(text) > MAX_TEMPLATE:
        raise Invalid(f"a template of more than {MAX_TEMPLATE} characters")
    try:
        parsed = _ENVIRONMENT.parse(text)
    except (jinja2.TemplateError, ValueError, RecursionError, OverflowError, MemoryError) as error:
        raise Invalid(f"not a template: {type(error).__name__}: {shown(str(error))}") from None
    outputs = [node for part in parsed.body for node in (part.nodes if isinstance(part, nodes.Output) else [part])]
    spoken = [node for node in outputs if not (isinstance(node, nodes.TemplateData) and not str(node.data).strip())]
    if len(spoken) != 1 or not isinstance(spoken[0], nodes.Expr) or isinstance(spoken[0], nodes.TemplateData):
        raise Invalid(f"a template that does more than pick one value: {shown(text)}")
    return _expression(spoken[0], text)


def _expression(node: nodes.Node, text: str) -> Expression:
    filters: list[list[Any]] = []
    while isinstance(node, nodes.Filter) and node.node is not None:
        filters.append(_filter(node, text))
        node = node.node
    filters.reverse()
    if isinstance(node, (nodes.Const, nodes.Neg)):
        return ["is", _constant(node, text), filters]
    path: list[Any] = []
    while isinstance(node, (nodes.Getattr, nodes.Getitem)):
        path.append(node.attr if isinstance(node, nodes.Getattr) else _key(node.arg, text))
        node = node.node
    if not isinstance(node, nodes.Name) or node.name != "value_json":
        raise Invalid(f"a template that reads something else than value_json: {shown(text)}")
    path.reverse()
    if len(path) > MAX_STEPS or len(filters) > MAX_STEPS:
        raise Invalid(f"a template of more than {MAX_STEPS} steps")
    return ["path", path, filters]


def _key(node: nodes.Node, text: str) -> Any:
    key = _constant(node, text)
    if isinstance(key, bool) or not isinstance(key, (str, int)):
        raise Invalid(f"a template with a key that is neither a text nor a number: {shown(text)}")
    return key


def _constant(node: nodes.Node, text: str) -> Any:
    negative = isinstance(node, nodes.Neg)
    inner = node.node if isinstance(node, nodes.Neg) else node
    value = inner.value if isinstance(inner, nodes.Const) else MISSING
    if isinstance(value, str) and not negative and is_wholesome(value):
        return value
    if isinstance(value, (int, float)) and number(value) is not None and not (negative and isinstance(value, bool)):
        return -value if negative else value
    if value is None and not negative:
        return None
    raise Invalid(f"a template with something else than a constant: {shown(text)}")


def _filter(node: nodes.Filter, text: str) -> list[Any]:
    allowed = _FILTERS.get(node.name)
    named = {
        "default": "default_value",
        "d": "default_value",
        "float": "default",
        "int": "default",
        "round": "precision",
    }
    arguments = [_constant(argument, text) for argument in node.args]
    for keyword in node.kwargs:
        if arguments or keyword.key not in (named.get(node.name), "default"):
            raise Invalid(f"a template with an argument that is not known: {shown(text)}")
        arguments.append(_constant(keyword.value, text))
    if allowed is None or len(arguments) > allowed or node.dyn_args is not None or node.dyn_kwargs is not None:
        raise Invalid(f"a template with a filter that is not known: {shown(text)}")
    if node.name == "round" and not all(isinstance(digits, int) and abs(digits) <= 15 for digits in arguments):
        raise Invalid(f"a template that rounds to something else than up to 15 digits: {shown(text)}")
    return ["default" if node.name == "d" else node.name, *arguments]


# -- what a template says of a payload ------------------------------------------------------------------------------------


def evaluate(expression: Expression, payload: Any) -> Any:
    """The value that an expression picks, `MISSING` where there is none. Raises `Invalid` when a filter cannot take it."""
    kind, said, filters = expression
    value = _walk(said, payload) if kind == "path" else said
    for name, *arguments in filters:
        value = _APPLY[name](value, arguments)
    return value


def _walk(path: Sequence[Any], value: Any) -> Any:
    for key in path:
        if isinstance(value, dict):
            value = value.get(key, MISSING) if isinstance(key, str) else MISSING
        elif isinstance(value, list) and isinstance(key, int):
            value = value[key] if -len(value) <= key < len(value) else MISSING
        else:
            return MISSING
    return value


def _default(value: Any, arguments: Sequence[Any]) -> Any:
    """``default(x)`` replaces what is missing, ``default(x, true)`` also what is empty or false."""
    empty = len(arguments) > 1 and bool(arguments[1]) and value is not MISSING and not value
    return (arguments[0] if arguments else "") if value is MISSING or empty else value


def _float(value: Any, arguments: Sequence[Any]) -> Any:
    taken = numeric(value)
    if taken is not None:
        return taken
    if arguments:
        return arguments[0]
    return _refuse(value)


def _int(value: Any, arguments: Sequence[Any]) -> Any:
    taken = numeric(value)
    if taken is not None:
        return float(math.trunc(taken))
    if arguments:
        return arguments[0]
    return _refuse(value)


def _round(value: Any, arguments: Sequence[Any]) -> Any:
    taken = numeric(value)
    return _refuse(value) if taken is None else float(round(taken, arguments[0] if arguments else 0))


def _refuse(value: Any) -> Any:
    if value is MISSING:
        return MISSING
    raise Invalid(f"not a number: {shown(value)}")


_APPLY = {"float": _float, "int": _int, "round": _round, "default": _default}


def numeric(value: Any) -> float | None:
    """A number, or a text that is one, within the bounds of a metric; None for anything else."""
    if isinstance(value, str):
        text = value.strip()
        if not text or len(text) > 32 or not text.isascii() or "_" in text:
            return None
        try:
            taken = float(text)
        except ValueError:
            return None
        return taken if math.isfinite(taken) and abs(taken) <= MAX_NUMBER else None
    return None if isinstance(value, bool) else number(value)
