"""The dashboard's specification, `configs/dashboard.yaml`: visuals over gold's views and their queries."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from medallion_cli.assets import PIPELINE, Assets
from medallion_cli.spec_file import Entry, Name, parse

DASHBOARD = "configs/dashboard.yaml"
Format = Literal["currency", "number", "percent", "integer"]


class Filter(Entry):
    """What readers of the page narrow it by: a span of days or months, or one value of many."""

    id: Name
    title: str
    kind: Literal["span", "choice"]


class Slice(Entry):
    """A view whose rows add up to the visual's; `by` names its column for each filter that it can be narrowed by."""

    view: Name
    by: dict[Name, Name] = Field(min_length=1)
    sums: tuple[Name, ...] = ()  # columns that add up; of a chart its y


class Measure(Entry):
    """One number of a kpi visual; `ratio` says which two sums of a slice make it."""

    title: str
    column: Name
    format: Format = "number"
    ratio: tuple[Name, Name] | None = None


class Sort(Entry):
    """The order of a visual's rows."""

    column: Name
    descending: bool = False


class Visual(Entry):
    """One chart. `x` and `y` are columns of `gold.<view>`; a kpi has measures of its one row instead."""

    id: Name
    title: str
    view: Name
    kind: Literal["line", "kpi", "bar", "donut"]
    x: Name | None = None
    y: Name | None = None
    aggregation: Literal["sum", "min", "max"] = "sum"
    format: Format = "number"
    sort: Sort | None = None
    limit: int | None = Field(default=None, gt=0)
    measures: tuple[Measure, ...] = ()
    slices: tuple[Slice, ...] = ()

    @model_validator(mode="after")
    def complete(self) -> Self:
        """Each kind has what it needs."""
        if self.kind == "kpi" and not self.measures:
            raise ValueError("a visual of kind kpi needs measures")
        if self.kind != "kpi" and (self.x is None or self.y is None):
            raise ValueError(f"a visual of kind {self.kind} needs x and y")
        if self.slices and self.aggregation != "sum":
            raise ValueError(f"slices are added up; a visual of {self.aggregation} has none")
        if self.kind == "kpi" and any(not each.sums for each in self.slices):
            raise ValueError("a slice of a kpi names the columns that add up: sums")
        if self.sort and self.kind != "kpi" and self.sort.column not in (self.x, self.y):
            raise ValueError(f"sort.column is x or y: {self.x} or {self.y}")
        return self

    def query(self) -> str:
        """The SELECT behind it: columns x and y, or all of the view's for a kpi."""
        relation = f"gold.{self.view}"
        if self.kind == "kpi":
            return f"SELECT * FROM {relation}"
        order = f"{self.sort.column}{' DESC' if self.sort.descending else ''}" if self.sort else str(self.x)
        ties = "" if order.split()[0] == self.x else f", {self.x}"
        limit = f" LIMIT {self.limit}" if self.limit else ""
        return (
            f"SELECT {self.x}, {self.aggregation.upper()}({self.y}) AS {self.y} FROM {relation} "
            f"GROUP BY {self.x} ORDER BY {order}{ties}{limit}"
        )

    def sums(self, each: Slice) -> tuple[str, ...]:
        """The columns of a slice that add up."""
        return each.sums or (str(self.y),)

    def slice_query(self, each: Slice, most: int) -> str:
        """The SELECT of a slice: x (not of a kpi), a column for each filter, sums; at most `most` rows."""
        keys = [*([] if self.kind == "kpi" else [str(self.x)]), *each.by.values()]
        named = dict.fromkeys(keys)  # x may be a filter's column as well
        sums = [f"SUM({column}) AS {column}" for column in self.sums(each)]
        return f"SELECT {', '.join([*named, *sums])} FROM gold.{each.view} GROUP BY {', '.join(named)} LIMIT {most}"


class Dashboard(Entry):
    """All visuals, in the order in which they are shown, and the filters of the page."""

    title: str = ""
    filters: tuple[Filter, ...] = ()
    visuals: tuple[Visual, ...] = ()

    @model_validator(mode="after")
    def distinct(self) -> Self:
        """Visuals are told apart by their id; their slices know the filters."""
        ids = [visual.id for visual in self.visuals]
        if repeated := [name for name in ids if ids.count(name) > 1]:
            raise ValueError(f"two visuals are called {repeated[0]}")
        known = {each.id for each in self.filters}
        for visual in self.visuals:
            if unknown := [name for each in visual.slices for name in each.by if name not in known]:
                raise ValueError(f"visual {visual.id}: no filter is called {unknown[0]}")
        return self


def load_dashboard(assets: Assets) -> Dashboard:
    """The project's dashboard; empty for a project that has none: the shipped one is of other views."""
    own = (assets.project / DASHBOARD).is_file()
    if not own and (assets.project / PIPELINE).is_file():
        return Dashboard()
    return parse(Dashboard, assets.path(DASHBOARD))
