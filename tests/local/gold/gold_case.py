"""A small world of customers, products and sales that stages its changes as the Glue job would."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from medallion_cli.assets import Assets
from medallion_cli.migrations import Migration
from medallion_cli.operations.migrations import bring, pending
from medallion_cli.spec import Model, Pipeline, load_pipeline

START = datetime(2026, 1, 1)
FOREVER = datetime(9999, 12, 31)
PLAIN = (
    "dim_customer",
    "dim_product",
    "fact_sales",
    "agg_sales_daily",
    "agg_sales_product_monthly",
    "agg_customer",
)
Row = dict[str, Any]


def literal(value: Any) -> str:
    """A SQL literal."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case _:
            return "'" + str(value).replace("'", "''") + "'"


@dataclass(frozen=True)
class Answer:
    """As aws.warehouse.Rows, as far as operations look at it."""

    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Transport:
    """A scratch warehouse as operations see one."""

    warehouse: Any

    def execute(self, sql: str, params: dict[str, object] | None = None) -> Answer:
        """One statement; named parameters become literals."""
        for name, value in (params or {}).items():
            sql = sql.replace(f":{name}", literal(value))
        return Answer(self.warehouse.run(sql))


@dataclass
class Gold:
    """One warehouse under test: `world` is what a full evaluation would give, by model and key."""

    warehouse: Any
    assets: Assets
    world: dict[str, dict[tuple[Any, ...], list[Row]]] = field(default_factory=dict)
    staged: dict[str, dict[tuple[Any, ...], list[Row]]] = field(default_factory=dict)
    runs: int = 0

    @cached_property
    def pipeline(self) -> Pipeline:
        """The specification."""
        return load_pipeline(self.assets)

    def bootstrap(self) -> list[Migration]:
        """Makes everything, or brings it to what the project's files say by now; the migrations made."""
        self.__dict__.pop("pipeline", None)
        steps = bring(Transport(self.warehouse), self.pipeline, self.assets)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                return stop.value

    def pending(self) -> list[Migration]:
        """What `plan` shows."""
        self.__dict__.pop("pipeline", None)
        return pending(Transport(self.warehouse), self.pipeline, self.assets)

    def stage(self, run_id: str, name: str, full: bool = False, position: str | None = "known") -> None:
        """Stages what differs from what was staged last (or everything), as COPY and its ledger row would."""
        model = self.pipeline.model(name)
        now, before = self.world.get(name, {}), self.staged.get(name, {})
        keys = list(now) if full else [k for k in {**before, **now} if before.get(k) != now.get(k)]
        rows = [row for key in keys for row in self._rows(model, key, now.get(key, []))]
        self.put(run_id, model, rows, full, position)
        self.staged[name] = {key: list(found) for key, found in now.items()}

    def put(self, run_id: str, model: Model, rows: list[list[Any]], full: bool, position: str | None) -> None:
        """Fills the staging table with rows in its column order."""
        self.warehouse.run(f"DELETE FROM staging.{model.name}")
        if rows:
            values = ", ".join(f"({', '.join(literal(v) for v in row)})" for row in rows)
            self.warehouse.run(f"INSERT INTO staging.{model.name} VALUES {values}")
        start = self._position(model.name) if position == "known" else position
        facts = [run_id, model.name, start, f"after {run_id}", model.select_hash, full, len(rows)]
        self.warehouse.run(f"DELETE FROM etl.staged WHERE model = '{model.name}'")
        self.warehouse.run(f"INSERT INTO etl.staged VALUES ({', '.join(literal(v) for v in facts)})")

    def _position(self, name: str) -> str | None:
        """Where gold holds the model; without it the Glue job stages the model in full."""
        known = self.warehouse.run(f"SELECT to_position FROM etl.position WHERE model = '{name}'")
        return known[0][0] if known else None

    def _rows(self, model: Model, key: tuple[Any, ...], found: list[Row]) -> list[list[Any]]:
        looked_up = {look.column for look in model.lookups}
        names = [column.name for column in model.checked if column.name not in looked_up]
        if not found:
            held = dict(zip(model.key, key, strict=True))
            return [["D", *[held.get(name) for name in names]]]
        return [["U", *[row.get(name) for name in names]] for row in found]

    def run(self, *models: str, full: bool = False) -> str:
        """Stages the models that changed (or those named) and merges the run; its id."""
        self.runs += 1
        run_id = f"run-{self.runs}"
        for name in models or ("dim_customer", "dim_product", "fact_sales"):
            anew = full or name not in self.staged or not self._position(name)
            if anew or models or self.world.get(name, {}) != self.staged[name]:
                self.stage(run_id, name, full=anew)
        self.warehouse.run(f"CALL gold.merge_run('{run_id}', 'all')")
        return run_id

    def rows(self, name: str) -> list[tuple[Any, ...]]:
        """What gold holds, less the run column."""
        names = ", ".join(column.name for column in self.pipeline.model(name).checked)
        return sorted(self.warehouse.run(f"SELECT {names} FROM gold.{name}"), key=repr)

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        """All models of the little world."""
        return {name: self.rows(name) for name in PLAIN}

    def load(self, run_id: str) -> dict[str, tuple[int, ...]]:
        """(inserted, updated, deleted, rows after) by model."""
        sql = f"SELECT model, inserted, updated, deleted, rows_after FROM etl.load WHERE run_id = '{run_id}'"
        return {row[0]: tuple(int(v) for v in row[1:]) for row in self.warehouse.run(sql)}

    def customer(self, number: int, *names: str, since: datetime = START) -> None:
        """A customer's history: one version a name, a day each; no name at all: forgotten."""
        rows = [{"last_name": name} for name in names]
        self._history("dim_customer", (number,), rows, since)

    def product(self, number: int, *prices: str, since: datetime = START) -> None:
        """A product's history by its prices."""
        rows = [
            {"product_name": f"P{number}", "brand_name": "Acme", "price": Decimal(price)} for price in prices
        ]
        self._history("dim_product", (number,), rows, since)

    def _history(self, name: str, key: tuple[Any, ...], versions: list[Row], since: datetime) -> None:
        model = self.pipeline.model(name)
        moments = [since + timedelta(days=n) for n in range(len(versions))] + [FOREVER]
        found = [
            {
                **dict(zip(model.key, key, strict=True)),
                **row,
                str(model.surrogate): key[0] * 1000
                + n
                + 1
                + int((since - START).total_seconds()) * 1_000_000,
                "version": n + 1,
                "valid_from": moments[n],
                "valid_to": moments[n + 1],
                "is_current": n + 1 == len(versions),
            }
            for n, row in enumerate(versions)
        ]
        held = self.world.setdefault(name, {})
        held.pop(key, None)
        if found:
            held[key] = found

    def sale(
        self, order: int, line: int, customer: int, product: int, quantity: int, day: int, sold: bool = True
    ) -> None:
        """An order item, at noon of the day."""
        at = START + timedelta(days=day, hours=12)
        self.world.setdefault("fact_sales", {})[(order, line)] = [
            {
                "order_id": order,
                "line_no": line,
                "customer_id": customer,
                "product_id": product,
                "status": "paid" if sold else "cancelled",
                "is_sale": sold,
                "ordered_at": at,
                "sales_date": at.date(),
                "sales_month": at.date().replace(day=1),
                "quantity": quantity,
                "unit_price": Decimal("2.50"),
                "discount": Decimal("0.10"),
                "revenue": Decimal("2.50") * quantity - Decimal("0.10"),
            }
        ]

    def forget_sale(self, order: int, line: int) -> None:
        """Deletes an order item."""
        self.world.get("fact_sales", {}).pop((order, line), None)

    def change_at_random(self, chance: random.Random) -> None:
        """Some histories and sales made, changed or deleted."""
        for _ in range(chance.randint(0, 4)):
            names = [chance.choice("abc") for _ in range(chance.choice([0, 1, 2, 3]))]
            self.customer(
                chance.randint(1, 6), *names, since=START + timedelta(days=chance.choice([0, 0, 3]))
            )
        for _ in range(chance.randint(0, 4)):
            prices = [chance.choice(["1.00", "2.00"]) for _ in range(chance.choice([0, 1, 2, 3]))]
            self.product(
                chance.randint(1, 6), *prices, since=START + timedelta(days=chance.choice([0, 0, 3]))
            )
        for _ in range(chance.randint(0, 10)):
            order, line = chance.randint(1, 12), chance.randint(1, 2)
            if chance.random() < 0.25:
                self.forget_sale(order, line)
                continue
            customer, product, quantity, day = (chance.randint(1, 6) for _ in range(4))
            self.sale(order, line, customer, product, quantity, 10 * day, sold=chance.random() < 0.8)


def small(gold: Gold) -> Gold:
    """One customer, one product, and two sales: one of a product that no dimension knows."""
    gold.customer(1, "Ada")
    gold.product(1, "1.00")
    gold.sale(1, 1, customer=1, product=1, quantity=2, day=40)
    gold.sale(1, 2, customer=1, product=9, quantity=1, day=40)
    return gold


def fresh(warehouse: Any, assets: Assets) -> Gold:
    """A bootstrapped gold."""
    gold = Gold(warehouse, assets)
    gold.bootstrap()
    return gold
