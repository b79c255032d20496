"""The dashboard's specification, `configs/dashboard.yaml`: visuals over gold's views and their queries."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from medallion_cli.assets import PIPELINE, Assets
from medallion_cli.spec_file import Entry, Name, parse

DASHBOARD = "configs/dashboard.yaml"
Format = Literal["currency", "number", "percent", "integer"]


class Measure(Entry):
    """One number of a kpi visual."""

    title: str
    column: Name
    format: Format = "number"


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

    @model_validator(mode="after")
    def complete(self) -> Self:
        """Each kind has what it needs."""
        if self.kind == "kpi" and not self.measures:
            raise ValueError("a visual of kind kpi needs measures")
        if self.kind != "kpi" and (self.x is None or self.y is None):
            raise ValueError(f"a visual of kind {self.kind} needs x and y")
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


class Dashboard(Entry):
    """All visuals, in the order in which they are shown."""

    title: str = ""
    visuals: tuple[Visual, ...] = ()

    @model_validator(mode="after")
    def distinct(self) -> Self:
        """Visuals are told apart by their id."""
        ids = [visual.id for visual in self.visuals]
        if repeated := [name for name in ids if ids.count(name) > 1]:
            raise ValueError(f"two visuals are called {repeated[0]}")
        return self


def load_dashboard(assets: Assets) -> Dashboard:
    """The project's dashboard; empty for a project that has none: the shipped one is of other views."""
    own = (assets.project / DASHBOARD).is_file()
    if not own and (assets.project / PIPELINE).is_file():
        return Dashboard()
    return parse(Dashboard, assets.path(DASHBOARD))
