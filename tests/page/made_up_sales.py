"""A warehouse of made-up sales that answers what the shipped dashboard asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from medallion_cli.assets import Assets
from medallion_cli.aws.warehouse_values import Column, Rows
from medallion_cli.spec import load_pipeline

ROOT = Path(__file__).parents[2]
ASSETS = Assets.find(ROOT)
PIPELINE = load_pipeline(ASSETS)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BRANDS = ("Äther & Co", "Northwind", 'Quote "Q" Ltd', "Zenith")
PRODUCTS = {f"{kind} {n}": BRANDS[n % 4] for n, kind in enumerate(["Boots", "Lamp", "Chair", "Kettle"] * 4)}
MONTHS = [date(2024 + k // 12, k % 12 + 1, 1) for k in range(18)]


def sold() -> list[tuple[date, str, str, int, Decimal]]:
    """(month, product, brand, units, revenue): none in the third month."""
    return [
        (month, product, brand, 3 + n, Decimal(1000 + 17 * n + 131 * k) / 10)
        for k, month in enumerate(MONTHS)
        for n, (product, brand) in enumerate(PRODUCTS.items())
        if k != 2
    ]


@dataclass
class Gold:
    """Answers what the shipped dashboard asks, out of `sold()`; one product more a look when `grows`."""

    grows: bool = False
    looks: int = 0

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> Rows:
        rows = sold()
        if self.grows and "v_total_sales" in sql:
            self.looks += 1
        if "v_total_sales" in sql:
            total = sum((row[4] for row in rows), Decimal(0)) + 1000 * max(0, self.looks - 1)
            names = (
                "revenue",
                "orders",
                "average_order_value",
                "units",
                "customers",
                "returning_customer_share",
            )
            values = (total, 900, total / 900, sum(row[3] for row in rows), 250, Decimal("0.4120"))
            return Rows(tuple(Column(name, "numeric") for name in names), (values,))
        if "v_customer_segments" in sql:
            return _rows(("segment", "customers"), [("Champions", 120), ("Loyal", 80), ("At risk", 50)])
        if "v_sales_over_time" in sql and "orders" in sql:
            grouped = _grouped(rows, lambda row: (row[0],), 4)
            return _rows(("sales_month", "revenue", "orders", "units"), [(m, r, 50, 90) for m, r in grouped])
        return _asked(sql, rows)


def _asked(sql: str, rows: list[Any]) -> Rows:
    """Groups by the columns between SELECT and SUM, in the order and to the limit of the query."""
    place = {"sales_month": 0, "product_name": 1, "brand_name": 2}
    keys = [word for word in sql.partition(" FROM")[0].replace(",", " ").split() if word in place]
    sums = [name for name in ("revenue", "units") if f"SUM({name})" in sql]
    found: dict[Any, list[Any]] = {}
    for row in rows:
        held = found.setdefault(tuple(row[place[key]] for key in keys), [0, 0])
        held[0] += row[4]
        held[1] += row[3]
    descending = "revenue DESC" in sql
    listed = sorted(found.items(), key=lambda item: (-item[1][0] if descending else 0, item[0]))
    limit = int(sql.rpartition("LIMIT ")[2]) if "LIMIT" in sql else None
    values = [(*key, *(held[("revenue", "units").index(name)] for name in sums)) for key, held in listed]
    return _rows((*keys, *sums), values[:limit])


def _grouped(rows: list[Any], key: Any, value: int) -> list[Any]:
    found: dict[Any, Any] = {}
    for row in rows:
        found[key(row)] = found.get(key(row), 0) + row[value]
    return [(*k, v) for k, v in sorted(found.items())]


def _rows(names: tuple[str, ...], values: list[Any]) -> Rows:
    return Rows(tuple(Column(name, "varchar") for name in names), tuple(values))
