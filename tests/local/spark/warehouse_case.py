"""A small pipeline (brands, products, sales), bronze files made by hand, and the jobs run over them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from medallion_cli.canonical import canonical, canonical_model
from medallion_cli.ddl import Column, redshift_to_spark

EPOCH = datetime(2026, 1, 1)
DDL = {
    "brands": (["brand_id"], {"brand_id": "int unsigned", "name": "varchar(80)"}),
    "products": (
        ["product_id"],
        {"product_id": "int", "brand_id": "int unsigned", "name": "varchar(80)", "price": "decimal(10,2)"},
    ),
    "sales": (
        ["sale_id", "line"],
        {
            "sale_id": "bigint",
            "line": "smallint",
            "product_id": "int",
            "quantity": "int",
            "sold_at": "datetime(6)",
        },
    ),
}
CLEAN = {"name": ("trim", "null_if_empty")}
ARROW = {
    "brand_id": pa.uint32(),
    "product_id": pa.int32(),
    "name": pa.string(),
    "price": pa.decimal128(10, 2),
    "sale_id": pa.int64(),
    "line": pa.int16(),
    "quantity": pa.int32(),
    "sold_at": pa.timestamp("us"),
}
DIM_PRODUCT = """
SELECT p.product_id, p.name, b.name AS brand, p.price,
  greatest(p._from, b._from) AS _from, least(p._to, b._to) AS _to
FROM products p LEFT JOIN brands b ON b.brand_id = p.brand_id AND b._from < p._to AND p._from < b._to
WHERE NOT p._deleted"""
FACT_SALES = """
SELECT s.sale_id, s.line, s.product_id, p.name AS product, s.quantity,
  s.quantity * p.price AS amount, s.sold_at
FROM sales s LEFT JOIN products p ON p.product_id = s.product_id"""


def document(schema: str, expectations: dict[str, list[dict[str, str]]] | None = None) -> dict[str, Any]:
    """A resolved pipeline document, as `medallion_cli.spec` writes it."""
    models = [
        _copy("brands"),
        _model(
            "dim_product",
            "scd2",
            ["product_id"],
            DIM_PRODUCT,
            {
                "product_id": "INTEGER",
                "name": "VARCHAR(320)",
                "brand": "VARCHAR(320)",
                "price": "DECIMAL(12,2)",
            },
            {
                "products": None,
                "brands": "SELECT p.product_id FROM changed c JOIN products p ON p.brand_id = c.brand_id",
            },
            surrogate="product_sk",
        ),
        _model(
            "fact_sales",
            "upsert",
            ["sale_id", "line"],
            FACT_SALES,
            {
                "sale_id": "BIGINT",
                "line": "SMALLINT",
                "product_id": "INTEGER",
                "product": "VARCHAR(320)",
                "quantity": "INTEGER",
                "amount": "DECIMAL(18,2)",
                "sold_at": "TIMESTAMP",
            },
            {
                "sales": None,
                "products": "SELECT s.sale_id, s.line FROM changed c JOIN sales s USING (product_id)",
            },
            lookups=[
                {
                    "column": "product_sk",
                    "dimension": "dim_product",
                    "on": {"product_id": "product_id"},
                    "as_of": "sold_at",
                }
            ],
        ),
    ]
    tables = [_table(name, schema, (expectations or {}).get(name, [])) for name in DDL]
    return {
        "name": "t",
        "spec_hash": "0" * 16,
        "source": {"schema": schema},
        "business": {},
        "tables": tables,
        "models": models,
    }


def _table(name: str, schema: str, expectations: list[dict[str, str]]) -> dict[str, Any]:
    key, columns = DDL[name]
    found = [Column(column, mysql, True, CLEAN.get(column, ())) for column, mysql in columns.items()]
    entries = [
        {
            "name": c.name,
            "mysql": c.mysql,
            "nullable": True,
            "spark": c.spark,
            "redshift": c.redshift,
            "clean": list(c.clean),
            "canonical": canonical(c.mysql, c.name, c.clean),
        }
        for c in found
    ]
    return {"name": name, "schema": schema, "key": key, "columns": entries, "expectations": expectations}


def _typed(name: str, mysql: str) -> dict[str, Any]:
    column = Column(name, mysql, True)
    return {"mysql": mysql, "spark": column.spark, "redshift": column.redshift}


def _gold(columns: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": n, "redshift": r, "spark": (s := redshift_to_spark(r)), "canonical": canonical_model(s, n)}
        for n, r in columns.items()
    ]


def _model(
    name: str,
    kind: str,
    key: list[str],
    select: str | None,
    columns: dict[str, str],
    inputs: dict[str, str | None],
    surrogate: str | None = None,
    lookups: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    history = {
        "version": "INTEGER",
        "valid_from": "TIMESTAMP",
        "valid_to": "TIMESTAMP",
        "is_current": "BOOLEAN",
    }
    extra = history if kind == "scd2" else {look["column"]: "BIGINT" for look in lookups or []}
    checked = ({surrogate: "BIGINT"} if surrogate else {}) | columns | extra
    return {
        "name": name,
        "kind": kind,
        "key": key,
        "select": select,
        "select_hash": f"hash-{name}",
        "inputs": [{"table": t, "touches": sql} for t, sql in inputs.items()],
        "columns": _gold(columns),
        "checked": _gold(checked),
        "lookups": lookups or [],
        "surrogate": surrogate,
        "from": None,
    }


def _copy(name: str) -> dict[str, Any]:
    key, columns = DDL[name]
    redshift = {column: Column(column, mysql, True).redshift for column, mysql in columns.items()}
    return _model(name, "copy", key, None, redshift, {name: None})


def seq(number: int) -> str:
    """A change sequence of 35 digits."""
    return f"{1:016d}{number:012d}{0:07d}"


def moment(number: int) -> str:
    """The commit timestamp that goes with it, as DMS writes it."""
    return f"{EPOCH + timedelta(seconds=number):%Y-%m-%d %H:%M:%S.%f}"


@dataclass
class Case:
    """One test's bronze, silver and what gold would hold."""

    spark: Any
    objects: Path
    schema: str
    expectations: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    generation: str = "g0001"
    loaded: tuple[str, ...] = tuple(DDL)
    positions: dict[str, dict[str, str]] = field(default_factory=dict)
    gold: dict[str, dict[tuple[Any, ...], list[dict[str, Any]]]] = field(default_factory=dict)
    schema_drift: dict[str, str] = field(default_factory=dict)  # policies
    bad_files: dict[str, str] = field(default_factory=dict)  # policies
    mysql: dict[tuple[str, str], str] = field(default_factory=dict)  # types, other than those of DDL
    files: int = 0
    runs: int = 0

    @property
    def pipeline(self) -> Any:
        """The typed document."""
        from medallion_glue.document import pipeline

        found = document(self.schema, self.expectations)
        for table in found["tables"]:
            table["schema_drift"] = self.schema_drift.get(table["name"], "evolve")
            table["bad_files"] = self.bad_files.get(table["name"], "set_aside")
            for entry in table["columns"]:
                entry |= _typed(entry["name"], self.mysql.get((table["name"], entry["name"]), entry["mysql"]))
        return pipeline(found)

    @property
    def house(self) -> Any:
        """The test's silver database."""
        from medallion_glue.lakehouse import Lakehouse

        house = Lakehouse(self.spark, "glue_catalog", f"{self.schema}_silver").enter("tests")
        house.create_database()
        return house

    def load(self, table: str, rows: list[dict[str, Any]], op: str | None = "I") -> str:
        """A full load file (`op` None: as with a task that leaves Op out)."""
        facts = {"Op": op, "dms_commit_ts": moment(0), "dms_change_seq": ""}
        return self._write(table, f"LOAD{self._next():08X}.parquet", [facts | row for row in rows])

    def changes(self, table: str, changes: list[tuple[str | None, int, dict[str, Any]]]) -> str:
        """A file of changes: (Op, number of the change, row; `BI_…` for a key before the change)."""
        rows = [
            {"Op": op, "dms_commit_ts": moment(n), "dms_change_seq": seq(n), **row} for op, n, row in changes
        ]
        return self._write(table, f"2026/01/01/20260101-{self._next():09d}.parquet", rows)

    def again(self, key: str) -> None:
        """The same file once more under another name, as a replay leaves it."""
        source = self.objects / "bronze" / key
        source.with_name(f"20260102-{self._next():09d}.parquet").write_bytes(source.read_bytes())

    def _next(self) -> int:
        self.files += 1
        return self.files

    def _write(self, table: str, name: str, rows: list[dict[str, Any]]) -> str:
        key_columns, columns = DDL[table]
        fields = (
            {"Op": pa.string()} | {c: ARROW[c] for c in columns} | {f"BI_{c}": ARROW[c] for c in key_columns}
        )
        fields |= {"dms_commit_ts": pa.string(), "dms_change_seq": pa.string()}
        arrays = {n: pa.array([_value(n, row.get(n)) for row in rows], kind) for n, kind in fields.items()}
        key = f"{self.generation}/{self.schema}/{table}/{name}"
        path = self.objects / "bronze" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(arrays), path)
        return key

    def silver_table(self, table: str) -> Any:
        """The table's way from bronze to silver."""
        from medallion_glue.silver import SilverTable

        return SilverTable(self.house, self.pipeline.table(table), "bronze")

    def reload_alone(self, table: str, folder: str, loaded: bool = True) -> None:
        """Has all go on in another folder, in which one table alone is loaded; what the command line notes of it."""
        path = self.objects / "artifacts" / "generations" / f"{folder}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"tables": [f"{self.schema}.{table}"], "loaded": loaded}))
        self.generation = folder

    def to_silver(self, tables: str = "all", replay: str = "none") -> dict[str, Any]:
        """Runs bronze_to_silver; a report a table."""
        from bronze_to_silver import take_tables

        loaded = ",".join(f"{self.schema}.{table}" for table in self.loaded)
        arguments = {
            "bronze_bucket": "bronze",
            "artifacts_bucket": "artifacts",
            "loaded": loaded or "none",
            "generation": self.generation,
            "tables": tables,
            "replay": replay,
        }
        return {report.table: report for report in take_tables(self.house, self.pipeline, arguments)}

    def live(self, table: str) -> dict[Any, tuple[Any, ...]]:
        """Live rows of a silver table by key."""
        key, columns = DDL[table]
        rows = self.house.at(table, None).where("NOT _is_deleted").select(*columns).collect()
        return {tuple(row[k] for k in key): tuple(row) for row in rows}

    def snapshots(self) -> int:
        """Number of silver snapshots in all tables."""
        names = [name for table in DDL for name in (table, f"{table}_changes")]
        present = [name for name in names if self.house.exists(name)]
        return sum(self.spark.table(f"{self.house.name(n)[:-1]}`.snapshots").count() for n in present)

    def to_gold(self, models: str = "all", full: bool = False, since: str = "{}") -> dict[str, Any]:
        """Runs silver_to_gold and merges what it staged as the warehouse would."""
        from silver_to_gold import stage_models

        self.runs += 1
        arguments = {
            "staging_bucket": "staging",
            "run_id": f"{self.schema}-run{self.runs}",
            "positions": json.dumps(self.positions),
            "models": models,
            "full": str(full).lower(),
            "since": since,
        }
        staged = {entry.model: entry for entry in stage_models(self.house, self.pipeline, arguments)}
        for entry in staged.values():
            self._merge(entry)
        return staged

    def _merge(self, entry: Any) -> None:
        key = self.pipeline.model(entry.model).key
        rows = self.staged_rows(entry)
        held = {} if entry.full else self.gold.get(entry.model, {})
        for name in {tuple(row[k] for k in key) for row in rows}:
            held.pop(name, None)
        for row in rows:
            if row.pop("_op") == "U":
                held.setdefault(tuple(row[k] for k in key), []).append(row)
        self.gold[entry.model] = held
        self.positions[entry.model] = {"to": entry.to_position, "hash": entry.select_hash}

    def staged_rows(self, entry: Any) -> list[dict[str, Any]]:
        """What the manifest's files hold, with the files' sizes checked."""
        if entry.manifest is None:
            return []
        manifest = json.loads((self.objects / entry.manifest.removeprefix("s3://")).read_text())
        rows: list[dict[str, Any]] = []
        for file in manifest["entries"]:
            path = self.objects / file["url"].removeprefix("s3://")
            assert path.stat().st_size == file["meta"]["content_length"]
            rows += pq.ParquetFile(path).read().to_pylist()
        return rows

    def evaluated(self, model: str) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
        """A model's full evaluation, by key."""
        from medallion_glue.models import GoldModel, pin_tables

        pins = pin_tables(self.house, self.pipeline)
        gold = GoldModel(self.house.apart(model), self.pipeline, pins, self.pipeline.model(model))
        found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for row in (
            gold.rows().toArrow().to_pylist() if hasattr(gold.rows(), "toArrow") else _rows(gold.rows())
        ):
            found.setdefault(tuple(row[k] for k in gold.model.key), []).append(row)
        return found


def _rows(frame: Any) -> list[dict[str, Any]]:
    return [row.asDict() for row in frame.collect()]


def comparable(
    held: dict[tuple[Any, ...], list[dict[str, Any]]],
) -> dict[tuple[Any, ...], list[tuple[Any, ...]]]:
    """Rows by key in one order, with moments as naive UTC."""
    return {
        k: sorted((tuple(_plain(v) for v in row.values()) for row in rows), key=repr)
        for k, rows in held.items()
    }


def _plain(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def _value(column: str, value: Any) -> Any:
    return Decimal(value) if column == "price" and value is not None else value


@dataclass
class FolderClient:
    """The part of boto3's S3 client that the scripts use, over folders."""

    root: Path

    def get_object(self, Bucket: str, Key: str, Range: str = "") -> dict[str, Any]:
        """As boto3's."""
        return {"Body": io.BytesIO((self.root / Bucket / Key).read_bytes())}

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:
        """As boto3's."""
        path = self.root / Bucket / Key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Body)

    def get_paginator(self, operation: str) -> FolderClient:
        """As boto3's, for list_objects_v2."""
        assert operation == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        """One page."""
        root = self.root / Bucket
        found = sorted(str(p.relative_to(root)) for p in (root / Prefix).rglob("*") if p.is_file())
        found += [Prefix] if (root / Prefix).is_file() else []
        yield {"Contents": [self._entry(root, key) for key in found]}

    def _entry(self, root: Path, key: str) -> dict[str, Any]:
        facts = (root / key).stat()
        return {
            "Key": key,
            "Size": facts.st_size,
            "LastModified": datetime.fromtimestamp(facts.st_mtime, UTC),
        }

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        """As boto3's."""
        for entry in Delete["Objects"]:
            (self.root / Bucket / entry["Key"]).unlink(missing_ok=True)
        return {}
