"""Answers on standard output: one JSON object for programs, aligned lines for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import typer


def show(answer: Mapping[str, Any], as_json: bool) -> None:
    """Print an answer as one JSON object, or as aligned lines."""
    if as_json:
        print_json(answer)
        return
    width = max((len(name) for name in answer), default=0)
    for name, value in answer.items():
        text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (dict, list)) else value
        typer.echo(f"{name:<{width}}  {text}")


def print_json(answer: Any) -> None:
    """One JSON object on standard output."""
    typer.echo(json.dumps(answer, ensure_ascii=False, default=str))
