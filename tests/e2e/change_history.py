"""What the generator's ledger says about the dimensions: each key's periods, to compare with gold's."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from command_line import Medallion

Values = tuple[str | None, ...]
Rows = dict[int, dict[str, str | None]]  # rows by key, as texts
Baseline = dict[str, Rows]
TABLES = {
    "customers": "customer_id",
    "products": "product_id",
    "brands": "brand_id",
    "categories": "category_id",
}
ATTRIBUTES = {
    "dim_customer": (
        "customer_id",
        "email",
        "first_name",
        "last_name",
        "phone",
        "birth_date",
        "kind",
        "country",
    ),
    "dim_product": (
        *("product_id", "sku", "product_name", "brand_id", "brand_name", "brand_country"),
        *("category_id", "category_name", "price", "cost", "is_active"),
    ),
}
OPEN = datetime(9999, 12, 31)
NEAR = timedelta(seconds=2)  # MariaDB's binlog tells whole seconds


@dataclass(frozen=True)
class Span:
    """A period in which a key had these values; `start` None: since before the first change."""

    values: Values
    start: datetime | None
    end: datetime
    is_current: bool

    def starts_with(self, other: Span) -> bool:
        return other.start is None or abs(self.start - other.start) <= NEAR  # type: ignore[operator]

    def ends_with(self, other: Span) -> bool:
        return self.end == other.end if other.end == OPEN else abs(self.end - other.end) <= NEAR


def baseline(tool: Medallion) -> Baseline:
    """Every row that a dimension is made of, as it is in the source now."""
    found: Baseline = {}
    with tool.source("shop") as connection, connection.cursor() as cursor:
        for table, key in TABLES.items():
            cursor.execute(f"SELECT * FROM {table} LIMIT 0")
            names = [column[0] for column in cursor.description]
            cursor.execute(f"SELECT {', '.join(f'CAST({name} AS CHAR)' for name in names)} FROM {table}")
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            found[table] = {int(row[key]): row for row in rows}
    return found


def spans(tool: Medallion, dimension: str) -> dict[int, list[Span]]:
    """The periods in gold, by key in order of their version."""
    names = ATTRIBUTES[dimension]
    rows = tool.query(
        f"SELECT {', '.join(names)}, version, valid_from, valid_to, is_current FROM gold.{dimension}"
        f" ORDER BY {names[0]}, version"
    )
    found: dict[int, list[Span]] = defaultdict(list)
    for row in rows:
        start, end = (datetime.fromisoformat(row[name]) for name in ("valid_from", "valid_to"))
        found[row[names[0]]].append(
            Span(tuple(map(_text, map(row.get, names))), start, end, row["is_current"])
        )
        assert row["version"] == len(found[row[names[0]]])
    return found


def customers(tool: Medallion, before: Baseline) -> tuple[str, dict[int, list[Span]]]:
    """Of every customer that a batch changed three times or more."""
    return "dim_customer", _expected(tool, before, "customers", ("customers",), _customer)


def products(tool: Medallion, before: Baseline) -> tuple[str, dict[int, list[Span]]]:
    """Of every product that a batch changed three times or more, with its brand's and category's changes."""
    return "dim_product", _expected(tool, before, "products", ("products", "brands", "categories"), _product)


def _customer(rows: Mapping[str, Rows], key: int) -> Values | None:
    row = rows["customers"].get(key)
    if row is None:
        return None
    email, phone = (row["email"] or "").strip(" ").lower(), (row["phone"] or "").strip(" ")
    names = ("first_name", "last_name")
    return (
        *(str(key), email, *(row[name] for name in names), phone or None),
        *(row[name] for name in ("birth_date", "kind", "country")),
    )


def _product(rows: Mapping[str, Rows], key: int) -> Values | None:
    row = rows["products"].get(key)
    if row is None:
        return None
    brand = rows["brands"].get(int(row["brand_id"] or 0), {})
    category = rows["categories"].get(int(row["category_id"] or 0), {})
    return (
        *(
            str(key),
            row["sku"],
            row["name"],
            row["brand_id"],
            _trimmed(brand.get("name")),
            brand.get("country"),
        ),
        *(row["category_id"], _trimmed(category.get("name")), row["price"], row["cost"]),
        "true" if row["active"] != "0" else "false",
    )


def _expected(
    tool: Medallion, before: Baseline, table: str, tables: tuple[str, ...], shown: Any
) -> dict[int, list[Span]]:
    """Plays the ledger over the rows before it; a period ends when what is shown of a key changes."""
    rows: Baseline = {name: dict(before[name]) for name in tables}
    changes = list(_ledger(tool, tables))
    often = {
        key
        for (_, name, key), number in Counter(
            (c["plan_id"], c["table_name"], c["key"]) for c in changes
        ).items()
        if name == table and number >= 3
    }
    open_since: dict[int, tuple[Values | None, datetime | None]] = {k: (shown(rows, k), None) for k in often}
    found: dict[int, list[Span]] = {key: [] for key in often}
    for change in changes:
        if change["op"] == "D":
            rows[change["table_name"]].pop(change["key"], None)
        else:
            rows[change["table_name"]][change["key"]] = change["row"]
        for key in often if change["table_name"] != table else often & {change["key"]}:
            values, since = open_since[key]
            if (now := shown(rows, key)) != values:
                if values is not None:
                    found[key].append(Span(values, since, change["changed_at"], False))
                open_since[key] = (now, change["changed_at"])
    for key, (values, since) in open_since.items():
        if values is not None:
            found[key].append(Span(values, since, OPEN, True))
    return found


def _ledger(tool: Medallion, tables: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The changes of some tables, in commit order."""
    with tool.source("medallion") as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT plan_id, table_name, op, key_json, row_json, changed_at FROM change_ledger"
            " WHERE table_name IN %s ORDER BY change_id",
            [tables],
        )
        for plan_id, table, op, key, row, moment in cursor.fetchall():
            yield {
                **{"plan_id": plan_id, "table_name": table, "op": op, "changed_at": moment},
                "key": int(json.loads(key)[TABLES[table]]),
                "row": json.loads(row) if row else None,
            }


def _trimmed(value: str | None) -> str | None:
    return value if value is None else value.strip(" ")


def _text(value: object) -> str | None:
    """A value of JSON as the ledger would write it."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case _:
            return str(value)
