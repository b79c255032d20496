"""What the page's filters stand on: rows that add up to a visual's, by period and by whatever else it is narrowed by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from medallion_cli.dashboard import DASHBOARD
from medallion_cli.errors import UsageError
from medallion_cli.operations.dashboard import label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.aws.warehouse_values import Value
    from medallion_cli.dashboard import Slice
    from medallion_cli.operations.dashboard import Answer

MOST_ROWS = 60_000  # of one slice: more would make the page slow; its visual then stands still
_LARGEST_EXACT = 2**53  # JavaScript's numbers are exact up to here


@dataclass(frozen=True)
class Cube:
    """A slice's rows, keys first; None when there are too many."""

    slice: Slice
    rows: tuple[tuple[Value, ...], ...] | None


def cubes(warehouse: Warehouse, answers: Sequence[Answer]) -> dict[str, list[Cube]]:
    """The slices of every visual, by its id; views that two visuals share are asked for once a question."""
    asked: dict[str, tuple[tuple[Value, ...], ...]] = {}
    found: dict[str, list[Cube]] = {}
    for answer in answers:
        for each in answer.visual.slices:
            sql = answer.visual.slice_query(each, MOST_ROWS + 1)
            if sql not in asked:
                asked[sql] = warehouse.execute(sql).rows
            rows = asked[sql] if len(asked[sql]) <= MOST_ROWS else None
            found.setdefault(answer.visual.id, []).append(Cube(each, rows))
    return found


def document(answer: Answer, cube: Cube) -> dict[str, Any] | None:
    """A slice as the page's script adds it up: texts once, rows of their numbers, sums in units of 10^-scale."""
    if cube.rows is None:
        return None
    visual, by = answer.visual, cube.slice.by
    keys = list(dict.fromkeys([*([] if visual.kind == "kpi" else [str(visual.x)]), *by.values()]))
    texts = [_Texts() for _ in keys]
    names = visual.sums(cube.slice)
    columns = [[row[len(keys) + n] for row in cube.rows] for n in range(len(names))]
    scales = [_scale(values) for values in columns]
    sums = [[_units(v, s, visual.id) for v in values] for values, s in zip(columns, scales, strict=True)]
    rows = [
        [*(texts[n].number(key_text(row[n])) for n in range(len(keys))), *(values[k] for values in sums)]
        for k, row in enumerate(cube.rows)
    ]
    shown = {} if visual.kind == "kpi" else {"labels": _labels(answer, cube)}
    return {
        "by": {name: keys.index(column) for name, column in by.items()},
        "texts": [list(each.numbers) for each in texts],
        "sums": list(names),
        "scales": scales,
        "rows": rows,
        **shown,
    }


def _labels(answer: Answer, cube: Cube) -> list[str]:
    """The label of each distinct x, in the order of its texts."""
    distinct = dict.fromkeys(key_text(row[0]) for row in cube.rows or ())
    values = {key_text(row[0]): row[0] for row in cube.rows or ()}
    return [label(values[key], answer.grain) for key in distinct]


class _Texts:
    """Distinct texts, numbered as they come."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def key_text(value: Value) -> str:
    """A key as filters compare it: dates sort as texts."""
    return value.isoformat() if isinstance(value, date) else "–" if value is None else str(value)


def _scale(values: Sequence[Value]) -> int:
    """Decimal places that keep every value exact."""
    exponents = [v.as_tuple().exponent for v in values if isinstance(v, Decimal)]
    return max((-e for e in exponents if isinstance(e, int)), default=0) if exponents else 0


def _units(value: Value, scale: int, visual: str) -> int:
    """A sum as a whole number of 10^-scale; UsageError for what is no number, or one that JavaScript cannot hold."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | None):
        raise UsageError(f"{DASHBOARD}: {visual}: slices: {value!r} is not a number")
    units = int((Decimal(str(value or 0)) * 10**scale).to_integral_value())
    if abs(units) >= _LARGEST_EXACT:
        raise UsageError(f"{DASHBOARD}: {visual}: slices: {value} is too large to be added up in a browser")
    return units
