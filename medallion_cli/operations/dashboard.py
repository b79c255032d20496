"""The dashboard: asks the visuals' questions of gold; how the answers are named and labelled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from medallion_cli.dashboard import DASHBOARD, Visual, load_dashboard
from medallion_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medallion_cli.assets import Assets
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.aws.warehouse_values import Value
    from medallion_cli.spec import Pipeline

Grain = Literal["month", "day", "other"]


@dataclass(frozen=True)
class Answer:
    """A visual and its rows, in the order in which they are drawn."""

    visual: Visual
    rows: list[dict[str, Value]]
    currency: str

    @cached_property
    def drawn(self) -> list[tuple[Value, Value]]:
        """(x, y) of each row; in a sum over time, months or days without a row are there as 0."""
        points = [(row[str(self.visual.x)], row[str(self.visual.y)]) for row in self.rows]
        if self.visual.kind == "line" and self.visual.aggregation == "sum":
            return _without_gaps(points)
        return points

    @property
    def numbers(self) -> list[float]:
        """The y of each point; NULL is drawn as nothing, 0."""
        return [float(y or 0) for _, y in self.drawn]  # type: ignore[arg-type]

    @property
    def grain(self) -> Grain:
        """Whether x are months (each the first of one), days, or anything else."""
        return _grain([x for x, _ in self.drawn])

    @property
    def labels(self) -> list[str]:
        """The x of each point as axes and legends show it."""
        return [label(x, self.grain) for x, _ in self.drawn]


def visuals(assets: Assets, pipeline: Pipeline) -> tuple[Visual, ...]:
    """What the project's dashboard shows; UsageError when it has none."""
    found = load_dashboard(assets).visuals
    if not found:
        raise UsageError(
            f"project {pipeline.name} has no dashboard",
            hint=f"write {DASHBOARD}: visuals over views of gold, as in the shipped one",
        )
    return found


def answers(warehouse: Warehouse, assets: Assets, pipeline: Pipeline) -> list[Answer]:
    """Runs every visual's query; UsageError when the project has no dashboard."""
    currency = str(pipeline.business["currency"])
    return [_answer(warehouse, visual, currency) for visual in visuals(assets, pipeline)]


def title(pipeline: Pipeline) -> str:
    """Of a dashboard that has none of its own: the pipeline's name."""
    return f"{pipeline.name.replace('_', ' ').capitalize()} dashboard"


def subtitle(pipeline: Pipeline, now: datetime) -> str:
    """How to read the numbers: what counts as a sale, whose days, which money, as of when."""
    business = pipeline.business
    parts = [f"An order is a sale when it is {_either(business.get('sales_statuses') or [])}"]
    parts = parts if business.get("sales_statuses") else []
    parts += [f"Days and months in {business['time_zone']}", f"Amounts in {business['currency']}"]
    return " · ".join([*parts, f"Generated {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"])


def _answer(warehouse: Warehouse, visual: Visual, currency: str) -> Answer:
    """Every number that will be drawn is one; UsageError names the column that is not."""
    rows = warehouse.execute(visual.query()).dicts()
    drawn = [m.column for m in visual.measures] if visual.kind == "kpi" else [str(visual.y)]
    for row in rows:
        for column in drawn:
            if column not in row:
                raise UsageError(f"{DASHBOARD}: {visual.id}: gold.{visual.view} has no column {column}")
            if isinstance(row[column], bool) or not isinstance(row[column], int | float | Decimal | None):
                raise UsageError(f"{DASHBOARD}: {visual.id}: {column} is not a number: {row[column]!r}")
    return Answer(visual, rows, currency)


def _grain(values: Sequence[Value]) -> Grain:
    days = [value for value in values if type(value) is date]
    if not days or len(days) < len(values):
        return "other"
    return "month" if all(day.day == 1 for day in days) else "day"


def _without_gaps(points: list[tuple[Value, Value]]) -> list[tuple[Value, Value]]:
    """Every month or day from the first to the last point; as it is when x are not dates in ascending order."""
    grain, known = _grain([x for x, _ in points]), dict(points)
    days = [x for x in known if type(x) is date]
    if grain == "other" or days != sorted(days) or len(known) < len(points):
        return points
    if grain == "month":
        first, last = (day.year * 12 + day.month - 1 for day in (days[0], days[-1]))
        every = [date(month // 12, month % 12 + 1, 1) for month in range(first, last + 1)]
    else:
        every = [days[0] + timedelta(k) for k in range((days[-1] - days[0]).days + 1)]
    return [(day, known.get(day, 0)) for day in every]


def label(value: Value, grain: Grain) -> str:
    """A value of x as axes, legends and tables show it."""
    pattern = {"month": "%b %Y", "day": "%Y-%m-%d", "other": ""}[grain]
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
