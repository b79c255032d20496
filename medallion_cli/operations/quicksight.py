"""The dashboard as QuickSight's own definition: a data set with typed columns a visual, and one sheet of visuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion_cli.dashboard import Dashboard, Visual

COLUMNS = 36  # of QuickSight's sheet grid
HEIGHT = {"kpi": 6, "line": 12, "bar": 12, "donut": 12}
TYPES = {"currency": "DECIMAL", "number": "DECIMAL", "percent": "DECIMAL", "integer": "INTEGER"}
CASTS = {"DECIMAL": "DECIMAL(38,4)", "INTEGER": "BIGINT", "DATETIME": "TIMESTAMP", "STRING": "VARCHAR(1024)"}

Document = dict[str, Any]
# kind of visual → QuickSight's, its field wells, and what makes it look as the web page's does
SHAPES: dict[str, tuple[str, str, Document]] = {
    "line": ("LineChartVisual", "LineChartAggregatedFieldWells", {"Type": "LINE"}),
    "bar": ("BarChartVisual", "BarChartAggregatedFieldWells", {"Orientation": "HORIZONTAL"}),
    "donut": (
        "PieChartVisual",
        "PieChartAggregatedFieldWells",
        {"DonutOptions": {"ArcOptions": {"ArcThickness": "MEDIUM"}}},
    ),
}


@dataclass(frozen=True)
class DataSet:
    """The rows behind one visual; every column is cast, so that its type is what QuickSight is told."""

    id: str
    resource: str  # logical id in the template
    title: str
    sql: str
    columns: list[dict[str, str]]


def data_sets(dashboard: Dashboard) -> list[DataSet]:
    """One a visual, in their order."""
    return [_data_set(visual) for visual in dashboard.visuals]


def sheets(dashboard: Dashboard, currency: str) -> list[Document]:
    """One sheet: kpis side by side, the other visuals two in a row; `currency` is a code of three letters."""
    visuals = [(visual, entry) for visual in dashboard.visuals for entry in _visuals(visual, currency)]
    elements = _grid([(visual.kind, _id(entry)) for visual, entry in visuals])
    layout = {"Configuration": {"GridLayout": {"Elements": elements}}}
    return [
        {"SheetId": "sheet", "Name": dashboard.title, "Visuals": [e for _, e in visuals], "Layouts": [layout]}
    ]


def _data_set(visual: Visual) -> DataSet:
    columns = _columns(visual)
    selected = ", ".join(f"CAST({name} AS {CASTS[kind]}) AS {name}" for name, kind in columns.items())
    return DataSet(
        id=visual.id,
        resource="".join(part.capitalize() for part in visual.id.split("_")) + "Data",
        title=visual.title,
        sql=f"SELECT {selected} FROM gold.{visual.view}",
        columns=[{"Name": name, "Type": kind} for name, kind in columns.items()],
    )


def _columns(visual: Visual) -> dict[str, str]:
    if visual.kind == "kpi":
        return {measure.column: TYPES[measure.format] for measure in visual.measures}
    return {
        str(visual.x): "DATETIME" if visual.kind == "line" else "STRING",
        str(visual.y): TYPES[visual.format],
    }


def _visuals(visual: Visual, currency: str) -> list[Document]:
    if visual.kind == "kpi":
        return [_kpi(visual, number, currency) for number in range(len(visual.measures))]
    return [_chart(visual, currency)]


def _kpi(visual: Visual, number: int, currency: str) -> Document:
    measure = visual.measures[number]
    values = [_measure(visual, measure.column, _format(measure.format, currency), "MAX")]
    return {
        "KPIVisual": {
            "VisualId": f"{visual.id}-{measure.column}",
            "Title": _title(measure.title),
            "ChartConfiguration": {"FieldWells": {"Values": values, "TargetValues": [], "TrendGroups": []}},
        }
    }


def _chart(visual: Visual, currency: str) -> Document:
    values = [_measure(visual, str(visual.y), _format(visual.format, currency), visual.aggregation)]
    name, wells, shape = SHAPES[visual.kind]
    if visual.kind == "line" and visual.aggregation == "sum":
        shape = shape | {
            "PrimaryYAxisDisplayOptions": {"MissingDataConfigurations": [{"TreatmentOption": "SHOW_AS_ZERO"}]}
        }
    fields = {wells: {"Category": [_dimension(visual)], "Values": values}}
    chart = {"FieldWells": fields, "SortConfiguration": _sorted(visual), **shape}
    return {name: {"VisualId": visual.id, "Title": _title(visual.title), "ChartConfiguration": chart}}


def _sorted(visual: Visual) -> Document:
    column = visual.sort.column if visual.sort else visual.x
    direction = "DESC" if visual.sort and visual.sort.descending else "ASC"
    order: Document = {
        "CategorySort": [{"FieldSort": {"FieldId": f"{visual.id}.{column}", "Direction": direction}}]
    }
    if visual.limit:
        limit = "CategoryItemsLimitConfiguration" if visual.kind == "line" else "CategoryItemsLimit"
        order[limit] = {"ItemsLimit": visual.limit, "OtherCategories": "EXCLUDE"}
    return order


def _dimension(visual: Visual) -> Document:
    field = {"FieldId": f"{visual.id}.{visual.x}", "Column": _column(visual, str(visual.x))}
    if visual.kind == "line":
        return {"DateDimensionField": {**field, "DateGranularity": _granularity(str(visual.x))}}
    return {"CategoricalDimensionField": field}


def _granularity(column: str) -> str:
    """Of a date column's points, by its name; the page takes it from the dates themselves."""
    last = column.rpartition("_")[2].upper()
    return last if last in ("YEAR", "QUARTER", "MONTH", "WEEK") else "DAY"


def _measure(visual: Visual, column: str, shown: Document, aggregation: str) -> Document:
    field: Document = {
        "FieldId": f"{visual.id}.{column}",
        "Column": _column(visual, column),
        "AggregationFunction": {"SimpleNumericalAggregation": aggregation.upper()},
        "FormatConfiguration": {"FormatConfiguration": shown},
    }
    return {"NumericalMeasureField": field}


def _format(shown: str, currency: str) -> Document:
    """As the web page shows it: a share as percent, money with its currency, counts without decimals."""
    match shown:
        case "percent":
            return {"PercentageDisplayFormatConfiguration": {"Suffix": "%", **_decimals(1)}}
        case "currency":
            return {"CurrencyDisplayFormatConfiguration": {"Symbol": currency, **_decimals(2)}}
        case "integer":
            return {"NumberDisplayFormatConfiguration": _decimals(0)}
        case _:
            return {"NumberDisplayFormatConfiguration": _decimals(2)}


def _decimals(places: int) -> Document:
    return {"DecimalPlacesConfiguration": {"DecimalPlaces": places}}


def _column(visual: Visual, column: str) -> Document:
    return {"DataSetIdentifier": visual.id, "ColumnName": column}


def _title(text: str) -> Document:
    return {"Visibility": "VISIBLE", "FormatText": {"PlainText": text}}


def _id(visual: Document) -> str:
    (body,) = visual.values()
    return str(body["VisualId"])


def _grid(visuals: list[tuple[str, str]]) -> list[Document]:
    """Left to right, a new row when the row is full."""
    kpis = sum(kind == "kpi" for kind, _ in visuals)
    elements, column, row, height = [], 0, 0, 0
    for kind, name in visuals:
        width = max(COLUMNS // max(kpis, 1), 6) if kind == "kpi" else COLUMNS // 2
        if column + width > COLUMNS or (height and HEIGHT[kind] != height):
            column, row = 0, row + height
        height = HEIGHT[kind]
        elements.append(
            {
                "ElementId": name,
                "ElementType": "VISUAL",
                "ColumnIndex": column,
                "ColumnSpan": width,
                "RowIndex": row,
                "RowSpan": height,
            }
        )
        column += width
    return elements
