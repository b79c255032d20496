"""The dashboard: asks the visuals' questions of gold, and writes the answers as one page that needs no network."""

from __future__ import annotations

import html
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

from medallion_cli.dashboard import DASHBOARD, Visual, load_dashboard
from medallion_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from medallion_cli.assets import Assets
    from medallion_cli.aws.warehouse import Value, Warehouse
    from medallion_cli.spec import Pipeline

Grain = Literal["month", "day", "other"]
_LARGEST_EXACT = 2**53  # JavaScript's numbers are exact up to here; what is longer travels as text


@dataclass(frozen=True)
class Answer:
    """A visual and its rows, in the order in which they are drawn."""

    visual: Visual
    rows: list[dict[str, Value]]
    currency: str

    @property
    def numbers(self) -> list[float]:
        """The y of each row; NULL is drawn as nothing, 0."""
        return [float(row[str(self.visual.y)] or 0) for row in self.rows]  # type: ignore[arg-type]

    @property
    def grain(self) -> Grain:
        """Whether x are months (each the first of one), days, or anything else."""
        values = [row[str(self.visual.x)] for row in self.rows]
        days = [value for value in values if type(value) is date]
        if not days or len(days) < len(values):
            return "other"
        return "month" if all(day.day == 1 for day in days) else "day"

    @property
    def labels(self) -> list[str]:
        """The x of each row as axes and legends show it."""
        pattern = {"month": "%b %Y", "day": "%Y-%m-%d", "other": ""}[self.grain]
        return [_label(row[str(self.visual.x)], pattern) for row in self.rows]


def answers(warehouse: Warehouse, assets: Assets, pipeline: Pipeline) -> list[Answer]:
    """Runs every visual's query; UsageError when the project has no dashboard."""
    visuals = load_dashboard(assets).visuals
    if not visuals:
        raise UsageError(
            f"project {pipeline.name} has no dashboard",
            hint=f"write {DASHBOARD}: visuals over views of gold, as in the shipped one",
        )
    currency = str(pipeline.business["currency"])
    return [_answer(warehouse, visual, currency) for visual in visuals]


def title(pipeline: Pipeline) -> str:
    """The dashboard's title, from the pipeline's name."""
    return f"{pipeline.name.replace('_', ' ').capitalize()} dashboard"


def subtitle(pipeline: Pipeline, now: datetime) -> str:
    """How to read the numbers: what counts as a sale, whose days, which money, as of when."""
    business = pipeline.business
    parts = [f"An order is a sale when it is {_either(business.get('sales_statuses') or [])}"]
    parts = parts if business.get("sales_statuses") else []
    parts += [f"Days and months in {business['time_zone']}", f"Amounts in {business['currency']}"]
    return " · ".join([*parts, f"Generated {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"])


def page(answers: Sequence[Answer], pipeline: Pipeline, now: datetime | None = None) -> str:
    """One HTML document with the data inside; it asks nothing of any network."""
    document = {
        "currency": str(pipeline.business["currency"]),
        "visuals": [_document(answer) for answer in answers],
    }
    parts = {
        "__TITLE__": html.escape(title(pipeline)),
        "__SUBTITLE__": html.escape(subtitle(pipeline, now or datetime.now(UTC))),
        "__DATA__": _embedded(document),
    }
    template = resources.files(__package__).joinpath("page", "page.html").read_text(encoding="utf-8")
    return re.sub("|".join(parts), lambda found: parts[found.group()], template)


def _answer(warehouse: Warehouse, visual: Visual, currency: str) -> Answer:
    """Every number that will be drawn is one; UsageError names the column that is not."""
    rows = warehouse.execute(visual.query()).dicts()
    drawn = [m.column for m in visual.measures] if visual.kind == "kpi" else [str(visual.y)]
    for row in rows:
        for column in drawn:
            if column not in row:
                raise UsageError(f"{DASHBOARD}: {visual.id}: gold.{visual.view} has no column {column}")
            if isinstance(row[column], bool) or not isinstance(row[column], int | float | Decimal | None):
                raise UsageError(f"{DASHBOARD}: {visual.id}: {column} is not a number: {row[column]}")
    return Answer(visual, rows, currency)


def _label(value: Value, pattern: str) -> str:
    match value:
        case None:
            return "–"
        case bytes():
            return value.hex()
        case date() if pattern:
            return f"{value:{pattern}}"
        case _:
            return " ".join(str(value).split())


def _either(names: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _document(answer: Answer) -> dict[str, Any]:
    """What the page's script draws of one visual, and the table behind it."""
    visual = answer.visual
    document: dict[str, Any] = {"id": visual.id, "title": visual.title, "kind": visual.kind}
    if visual.kind == "kpi":
        first = answer.rows[0] if answer.rows else {}
        measures = [(m.title, first.get(m.column), m.format) for m in visual.measures]
        return document | {
            "measures": [{"title": t, "value": _plain(v), "format": f} for t, v, f in measures],
        }
    return document | {
        "x": str(visual.x),
        "y": str(visual.y),
        "format": visual.format,
        "grain": answer.grain,
        "labels": answer.labels,
        "values": [_plain(row[str(visual.y)]) for row in answer.rows],
    }


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


def _embedded(document: Mapping[str, Any]) -> str:
    """JSON for a script element: nothing in it can end the element or open a comment (`</`, `<!--`)."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
