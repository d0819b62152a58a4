"""The dashboards as Grafana would ask their questions: panels, queries, and what stands for Grafana's macros and variables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.compose import ROOT

FOLDER = ROOT / "deploy" / "grafana"
DASHBOARDS = sorted(path.name for path in (FOLDER / "dashboards").glob("*.json"))


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel and its queries."""

    dashboard: str
    title: str
    kind: str
    source: Mapping[str, str]
    targets: Sequence[Mapping[str, Any]]

    def __str__(self) -> str:
        return f"{self.dashboard.removesuffix('.json')}: {self.title}"


def dashboard(name: str) -> dict[str, Any]:
    """One file."""
    read: dict[str, Any] = json.loads((FOLDER / "dashboards" / name).read_text())
    return read


def panels(source: str | None = None) -> list[Panel]:
    """All panels, or those of one kind of data source."""
    return [
        Panel(name, panel["title"], panel["type"], panel["datasource"], panel["targets"])
        for name in DASHBOARDS
        for panel in dashboard(name)["panels"]
        if source is None or panel["datasource"]["type"] == source
    ]


def variable_queries(name: str) -> list[str]:
    """The queries behind a dashboard's variables."""
    return [variable["query"] for variable in dashboard(name)["templating"]["list"]]


def sql_of(target: Mapping[str, Any], since: str = "now() - interval '30 days'", **variables: str) -> str:
    """A query with Grafana's macro for the time range, and each variable as one quoted value."""
    text = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN {since} AND now()", target["rawSql"])
    text = re.sub(r"\$(\w+)", lambda match: f"'{variables.get(match[1], 'none')}'", text)
    return text.replace("%", "%%")


def flux_of(target: Mapping[str, Any], start: str, stop: str, every: str, **variables: str) -> str:
    """A query with the ``v`` record that Grafana puts before it, and each variable verbatim."""
    head = f"v = {{timeRangeStart: {start}, timeRangeStop: {stop}, windowPeriod: {every}}}\n"
    return head + re.sub(r"\$\{(\w+)\}", lambda match: variables[match[1]], target["query"])


def metrics_of(expression: str) -> set[str]:
    """The names of metrics in an expression of Prometheus."""
    return set(re.findall(r"\b(?:hearthwatch|process|python|up)(?:_\w+)?(?=[\[{\s)]|$)", expression))
