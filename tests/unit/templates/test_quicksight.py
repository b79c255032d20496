"""The QuickSight definition agrees with itself: cfn-lint checks shapes, not that names meet."""

from __future__ import annotations

from typing import Any

from medallion_cli.assets import Assets
from medallion_cli.dashboard import Dashboard, load_dashboard
from medallion_cli.operations.quicksight import COLUMNS, data_sets, sheets

Document = dict[str, Any]


def found(value: Any, key: str) -> list[Any]:
    """Every value of `key` at any depth."""
    if isinstance(value, dict):
        own = [value[key]] if key in value else []
        return own + [x for inner in value.values() for x in found(inner, key)]
    return [x for inner in value for x in found(inner, key)] if isinstance(value, list) else []


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
