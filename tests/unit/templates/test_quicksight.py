"""The QuickSight definition agrees with itself: cfn-lint checks shapes, not that names meet."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from medallion_cli.assets import Assets
from medallion_cli.dashboard import Dashboard, load_dashboard
from medallion_cli.operations.quicksight import COLUMNS, DataSet, data_sets
from medallion_cli.operations.quicksight import sheets as sheets_in

Document = dict[str, Any]


def found(value: Any, key: str) -> list[Any]:
    """Every value of `key` at any depth."""
    if isinstance(value, dict):
        own = [value[key]] if key in value else []
        return own + [x for inner in value.values() for x in found(inner, key)]
    return [x for inner in value for x in found(inner, key)] if isinstance(value, list) else []


def sheets(dashboard: Dashboard) -> list[Document]:
    return sheets_in(dashboard, "EUR")


def dashboard(assets: Assets) -> Dashboard:
    return load_dashboard(assets)


def test_every_visual_asks_for_columns_that_its_data_set_has(assets: Assets) -> None:
    columns = {d.id: {c["Name"] for c in d.columns} for d in data_sets(dashboard(assets))}
    asked = found(sheets(dashboard(assets)), "Column")
    assert len(asked) > 10
    for column in asked:
        assert column["ColumnName"] in columns[column["DataSetIdentifier"]]


def test_fields_are_sorted_by_fields_that_exist(assets: Assets) -> None:
    for visual in sheets(dashboard(assets))[0]["Visuals"]:
        fields = found(found(visual, "FieldWells"), "FieldId")
        assert len(fields) == len(set(fields))
        assert {sort["FieldId"] for sort in found(visual, "FieldSort")} <= set(fields)


def test_the_five_answers_are_there(assets: Assets) -> None:
    kinds = [next(iter(visual)) for visual in sheets(dashboard(assets))[0]["Visuals"]]
    assert set(kinds) == {"LineChartVisual", "KPIVisual", "BarChartVisual", "PieChartVisual"}
    assert kinds.count("BarChartVisual") == 2


def test_nothing_overlaps_on_the_grid(assets: Assets) -> None:
    sheet = sheets(dashboard(assets))[0]
    elements = sheet["Layouts"][0]["Configuration"]["GridLayout"]["Elements"]
    cells = [
        (row, column)
        for e in elements
        for row in range(e["RowIndex"], e["RowIndex"] + e["RowSpan"])
        for column in range(e["ColumnIndex"], e["ColumnIndex"] + e["ColumnSpan"])
    ]
    assert len(cells) == len(set(cells))
    assert max(column for _, column in cells) < COLUMNS
    assert {e["ElementId"] for e in elements} == set(found(sheet["Visuals"], "VisualId"))


def test_a_query_casts_every_column_it_declares(assets: Assets) -> None:
    for data_set in data_sets(dashboard(assets)):
        for column in data_set.columns:
            assert f" AS {column['Name']}" in data_set.sql


# QuickSight's arithmetic on rows, to compare with the query that the web page and the terminal draw
AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {"SUM": sum, "MIN": min, "MAX": max}


def rows(name: str, columns: list[str]) -> list[Document]:
    """Invented rows of a view: text by its column, dates over two years, numbers that tell rows apart."""
    made = []
    for number in range(60):
        row: Document = {column: round(100.0 + 7.13 * ((number * 37) % 61), 2) for column in columns}
        for column in columns:
            if column.endswith(("_month", "_date")):
                row[column] = f"{2025 + number % 24 // 12}-{number % 12 + 1:02d}-01"
            elif column.endswith(("_name", "segment")):
                row[column] = f"{column} {number % 23}"
        made.append(row)
    return made[:1] if "total" in name else made


def filled(assets: Assets) -> tuple[sqlite3.Connection, dict[str, list[Document]]]:
    """Gold's views as tables of invented rows."""
    gold, content = sqlite3.connect(":memory:"), {}
    gold.execute("ATTACH ':memory:' AS gold")
    for visual in dashboard(assets).visuals:
        columns = [
            str(c) for c in (visual.x, visual.y, *(m.column for m in visual.measures)) if c is not None
        ]
        content[visual.id] = rows(visual.view, columns)
        gold.execute(f"CREATE TABLE IF NOT EXISTS gold.{visual.view} ({', '.join(columns)})")
        marks = ", ".join("?" for _ in columns)
        for row in content[visual.id]:
            gold.execute(f"INSERT INTO gold.{visual.view} VALUES ({marks})", list(row.values()))
    return gold, content


def drawn(data_set: DataSet, visual: Document, content: list[Document]) -> list[tuple[Any, float]]:
    """What QuickSight draws of a data set's rows by a visual's definition."""
    (body,) = visual.values()
    chart = body["ChartConfiguration"]
    (wells,) = chart["FieldWells"].values() if "Values" not in chart["FieldWells"] else (chart["FieldWells"],)
    (measure,) = (one["NumericalMeasureField"] for one in wells["Values"])
    aggregate = AGGREGATIONS[measure["AggregationFunction"]["SimpleNumericalAggregation"]]
    y = measure["Column"]["ColumnName"]
    if "Category" not in wells:
        return [(None, aggregate([row[y] for row in content]))]
    ((kind, field),) = wells["Category"][0].items()
    x, cut = field["Column"]["ColumnName"], 7 if field.get("DateGranularity") == "MONTH" else None
    assert {x, y} <= {column["Name"] for column in data_set.columns}, kind
    groups: dict[str, list[float]] = {}
    for row in content:
        groups.setdefault(row[x][:cut], []).append(row[y])
    points = [(name, aggregate(values)) for name, values in groups.items()]
    (sort,) = (one["FieldSort"] for one in chart["SortConfiguration"]["CategorySort"])
    by = 1 if sort["FieldId"] == measure["FieldId"] else 0
    points.sort(key=lambda point: point[by], reverse=sort["Direction"] == "DESC")
    limits = [
        limit["ItemsLimit"]
        for limit in found(chart, "CategoryItemsLimit") + found(chart, "CategoryItemsLimitConfiguration")
    ]
    return points[: limits[0]] if limits else points


def test_quicksight_draws_the_numbers_that_the_web_page_draws(assets: Assets) -> None:
    """Each visual's query over rows, against QuickSight's definition over the same rows: points, order and limit."""
    gold, content = filled(assets)
    entries = iter(sheets(dashboard(assets))[0]["Visuals"])
    for visual, data_set in zip(dashboard(assets).visuals, data_sets(dashboard(assets)), strict=True):
        asked = gold.execute(visual.query()).fetchall()
        if visual.kind == "kpi":
            names = [column for column, *_ in gold.execute(visual.query()).description]
            for measure in visual.measures:
                value = asked[0][names.index(measure.column)]
                assert drawn(data_set, next(entries), content[visual.id]) == [(None, value)], measure.column
            continue
        cut = 7 if visual.kind == "line" else None
        shown = drawn(data_set, next(entries), content[visual.id])
        assert [(x, round(y, 6)) for x, y in shown] == [(x[:cut], round(y, 6)) for x, y in asked], visual.id
    assert list(entries) == []


def test_the_two_have_the_same_titles_in_the_same_order(assets: Assets) -> None:
    shown = [
        next(iter(v.values()))["Title"]["FormatText"]["PlainText"]
        for v in sheets(dashboard(assets))[0]["Visuals"]
    ]
    expected = [
        title
        for visual in dashboard(assets).visuals
        for title in ([m.title for m in visual.measures] or [visual.title])
    ]
    assert shown == expected


def test_every_column_of_a_data_set_is_one_of_its_view(assets: Assets) -> None:
    import sqlglot

    for visual, data_set in zip(dashboard(assets).visuals, data_sets(dashboard(assets)), strict=True):
        body = assets.read(f"sql/redshift/views/{visual.view}.sql")
        columns = {
            column.alias_or_name for column in sqlglot.parse_one(body, read="redshift").expression.selects
        }
        assert {column["Name"] for column in data_set.columns} <= columns


def test_numbers_look_as_on_the_web_page(assets: Assets) -> None:
    formats = found(sheets(dashboard(assets)), "CurrencyDisplayFormatConfiguration")
    assert {one["Symbol"] for one in formats} == {"EUR"}
    assert len(found(sheets(dashboard(assets)), "PercentageDisplayFormatConfiguration")) == 1


def test_months_without_sales_are_zero_in_both(assets: Assets) -> None:
    assert found(sheets(dashboard(assets)), "TreatmentOption") == ["SHOW_AS_ZERO"]


def test_imported_rows_are_refreshed_and_direct_ones_are_not(documents: dict[str, Document]) -> None:
    resources = documents["visualization"]["Resources"]
    sets = [name for name, one in resources.items() if one["Type"] == "AWS::QuickSight::DataSet"]
    refreshed = [one for one in resources.values() if one["Type"] == "AWS::QuickSight::RefreshSchedule"]
    assert len(sets) == len(refreshed) == 5
    assert {one["Condition"] for one in refreshed} == {"WithRefresh"}
