"""The dashboard as one HTML page with its data inside; it asks nothing of any network, unless it is served."""

from __future__ import annotations

import html
import json
import math
import re
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

from medallion_cli.dashboard import Dashboard
from medallion_cli.operations.dashboard import subtitle, title
from medallion_cli.operations.dashboard_slices import document as slice_document
from medallion_cli.operations.dashboard_slices import key_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from medallion_cli.aws.warehouse_values import Value
    from medallion_cli.operations.dashboard import Answer
    from medallion_cli.operations.dashboard_slices import Cube
    from medallion_cli.spec import Pipeline

_LARGEST_EXACT = 2**53  # JavaScript's numbers are exact up to here; what is longer travels as text
PARTS = {
    "__STYLE__": "page.css",
    "__CHARTS__": "charts.js",
    "__FILTERS__": "filters.js",
    "__SCRIPT__": "page.js",
}
LIVE = "live.js"


def page(
    answers: Sequence[Answer],
    pipeline: Pipeline,
    now: datetime | None = None,
    *,
    dashboard: Dashboard | None = None,
    cubes: Mapping[str, Sequence[Cube]] | None = None,
    every: float | None = None,
) -> str:
    """One HTML document with the data inside; with `every` (seconds) it asks the server that it came from again."""
    return html_of(document(answers, pipeline, now, dashboard=dashboard, cubes=cubes), every=every)


def html_of(data: Mapping[str, Any], *, every: float | None = None) -> str:
    """The page around a document."""
    parts = {
        "__TITLE__": html.escape(str(data["title"])),
        "__SUBTITLE__": html.escape(str(data["subtitle"])),
        "__DATA__": embedded(data),
        "__POLICY__": "; connect-src 'self'" if every else "",
        "__LIVE__": _part(LIVE).replace("__EVERY__", f"{every:g}") if every else "",
        **{name: _part(file) for name, file in PARTS.items()},
    }
    return re.sub("|".join(parts), lambda found: parts[found.group()], _part("page.html"))


def document(
    answers: Sequence[Answer],
    pipeline: Pipeline,
    now: datetime | None = None,
    *,
    dashboard: Dashboard | None = None,
    cubes: Mapping[str, Sequence[Cube]] | None = None,
) -> dict[str, Any]:
    """What the page's script draws."""
    given, whole = cubes or {}, dashboard or Dashboard()
    return {
        "title": whole.title or title(pipeline),
        "currency": str(pipeline.business["currency"]),
        "subtitle": subtitle(pipeline, now or datetime.now(UTC)),
        "filters": [{"id": each.id, "title": each.title, "kind": each.kind} for each in whole.filters],
        "visuals": [_visual(answer, given.get(answer.visual.id, ())) for answer in answers],
    }


def _part(name: str) -> str:
    return resources.files(__package__).joinpath("page", name).read_text(encoding="utf-8")


def _visual(answer: Answer, cubes: Sequence[Cube]) -> dict[str, Any]:
    """One visual, the table behind it, and the slices that can be added up."""
    visual = answer.visual
    found: dict[str, Any] = {"id": visual.id, "title": visual.title, "kind": visual.kind}
    if slices := [made for cube in cubes if (made := slice_document(answer, cube)) is not None]:
        found["slices"] = slices
    if visual.kind == "kpi":
        first = answer.rows[0] if answer.rows else {}
        return found | {
            "measures": [
                {
                    "title": m.title,
                    "column": m.column,
                    "value": _plain(first.get(m.column)),
                    "format": m.format,
                }
                | ({"ratio": list(m.ratio)} if m.ratio else {})
                for m in visual.measures
            ],
        }
    return found | {
        "x": str(visual.x),
        "y": str(visual.y),
        "format": visual.format,
        "grain": answer.grain,
        "order": _order(answer),
        "limit": visual.limit,
        "labels": answer.labels,
        "keys": [key_text(x) for x, _ in answer.drawn],
        "values": [_plain(y) for _, y in answer.drawn],
    }


def _order(answer: Answer) -> str:
    """How rows that were added up are put in order: by `x` or by `y`, `-` for the largest first."""
    sort = answer.visual.sort
    if sort is None:
        return "x"
    return f"{'-' if sort.descending else ''}{'y' if sort.column == answer.visual.y else 'x'}"


def _plain(value: Value) -> int | float | str | None:
    """A number as JSON and JavaScript keep it exactly."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case int() | float() if abs(value) < _LARGEST_EXACT:
            return value
        case None:
            return None
        case _:
            return str(value)


def embedded(document: Mapping[str, Any]) -> str:
    """JSON for a script element: nothing in it can end the element or open a comment (`</`, `<!--`)."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
