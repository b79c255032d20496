"""COPY from Parquet is as strict as Redshift's, and belongs to the caller's transaction."""

from __future__ import annotations

import datetime
import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scratch_warehouse import Scratch

from medallion_cli.local.engines.copy_parquet import CopyError, parse
from medallion_cli.local.engines.redshift_errors import SqlError

pytestmark = pytest.mark.engine
ROLE = "IAM_ROLE 'arn:aws:iam::000000000000:role/copy'"
EVERY_TYPE = (
    "CREATE TABLE t (a BIGINT, b INTEGER, c SMALLINT, d DECIMAL(12,2), e VARCHAR(20), f TIMESTAMP, g DATE, "
    "h BOOLEAN, i DOUBLE PRECISION, j VARBYTE(8), k SUPER, l CHAR(2))"
)


def parquet(columns: dict[str, Any], types: list[pa.DataType]) -> bytes:
    out = io.BytesIO()
    arrays = [pa.array(values, kind) for values, kind in zip(columns.values(), types, strict=True)]
    pq.write_table(pa.table(arrays, names=list(columns)), out)
    return out.getvalue()


def staged(
    warehouse: Scratch, columns: dict[str, Any], types: list[pa.DataType], key: str = "t/1.parquet"
) -> int:
    return warehouse.put("staging", key, parquet(columns, types)).stat().st_size


def manifest(warehouse: Scratch, entries: list[dict[str, Any]]) -> None:
    warehouse.put("staging", "m.manifest", json.dumps({"entries": entries}).encode())


def test_every_type_arrives_unchanged(warehouse: Scratch) -> None:
    warehouse.run(EVERY_TYPE)
    at = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456)
    staged(
        warehouse,
        {
            "a": [1, None],
            "b": [-2, None],
            "c": [3, None],
            "d": [Decimal("-12.30"), None],
            "e": ['q"u,o\n', ""],
            "f": [at, None],
            "g": [at.date(), None],
            "h": [True, None],
            "i": [0.1, None],
            "j": [b"\x00\xff", None],
            "k": ['a"b', None],
            "l": ["xy", None],
        },
        [
            pa.int64(),
            pa.int32(),
            pa.int16(),
            pa.decimal128(12, 2),
            pa.string(),
            pa.timestamp("us", "UTC"),
            pa.date32(),
            pa.bool_(),
            pa.float64(),
            pa.binary(),
            pa.string(),
            pa.string(),
        ],
        "every/1.parquet",
    )
    warehouse.run(f"COPY t FROM 's3://staging/every/' {ROLE} FORMAT AS PARQUET")
    first, second = warehouse.run("SELECT a, b, c, d, e, f, g, h, i, TO_HEX(j), k, l FROM t ORDER BY a")
    assert first == (
        "1",
        "-2",
        "3",
        "-12.30",
        'q"u,o\n',
        "2024-02-29 23:59:59.123456",
        "2024-02-29",
        "t",
        "0.1",
        "00ff",
        '"a\\"b"',
        "xy",
    )
    assert second == (None, None, None, None, "", *[None] * 7), "an empty string is not NULL"


def test_columns_go_by_position_not_by_name(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (a BIGINT, b BIGINT)")
    staged(warehouse, {"b": [1], "a": [2]}, [pa.int64()] * 2, "position/1.parquet")
    warehouse.run(
        f"COPY t FROM 's3://staging/position/1.parquet' {ROLE} PARQUET".replace("PARQUET", "FORMAT PARQUET")
    )
    assert warehouse.run("SELECT a, b FROM t") == [("1", "2")]


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        ("BIGINT", pa.int32(), [1]),
        ("INTEGER", pa.int64(), [1]),
        ("DECIMAL(10,2)", pa.decimal128(12, 2), [Decimal("1.00")]),
        ("DECIMAL(12,2)", pa.decimal128(12, 3), [Decimal("1.000")]),
        ("TIMESTAMP", pa.string(), ["2024-01-01"]),
        ("VARCHAR(10)", pa.int64(), [1]),
        ("DATE", pa.timestamp("us"), [datetime.datetime(2024, 1, 1)]),
        ("DOUBLE PRECISION", pa.float32(), [1.0]),
    ],
)
def test_a_type_that_does_not_fit_is_refused(
    warehouse: Scratch, column: str, kind: pa.DataType, values: list[Any]
) -> None:
    warehouse.run(f"CREATE TABLE t (a {column})")
    staged(warehouse, {"a": values}, [kind], "wrong/1.parquet")
    with pytest.raises(SqlError, match=r"incompatible Parquet schema for column 't\.a'"):
        warehouse.run(f"COPY t FROM 's3://staging/wrong/' {ROLE} FORMAT AS PARQUET")
    assert warehouse.run("SELECT COUNT(*) FROM t") == [("0",)]


def test_the_column_count_is_strict_and_fillrecord_fills_the_rest(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (a BIGINT, b VARCHAR(5))")
    staged(warehouse, {"a": [7]}, [pa.int64()], "few/1.parquet")
    with pytest.raises(SqlError, match="Table columns: 2, Data columns: 1"):
        warehouse.run(f"COPY t FROM 's3://staging/few/' {ROLE} FORMAT AS PARQUET")
    warehouse.run(f"COPY t FROM 's3://staging/few/' {ROLE} FORMAT AS PARQUET FILLRECORD")
    assert warehouse.run("SELECT a, b FROM t") == [("7", None)]


def test_a_text_longer_than_its_bytes_fails_the_whole_copy(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (a VARCHAR(3))")
    staged(warehouse, {"a": ["ok", "äöü"]}, [pa.string()], "long/1.parquet")
    with pytest.raises(SqlError, match="too long"):
        warehouse.run(f"COPY t FROM 's3://staging/long/' {ROLE} FORMAT AS PARQUET")
    assert warehouse.run("SELECT COUNT(*) FROM t") == [("0",)]


def test_a_rollback_takes_the_rows_back(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (a BIGINT)")
    staged(warehouse, {"a": [1, 2]}, [pa.int64()], "rollback/1.parquet")
    warehouse.run("BEGIN")
    warehouse.run(f"COPY t FROM 's3://staging/rollback/' {ROLE} FORMAT AS PARQUET")
    assert warehouse.run("SELECT COUNT(*) FROM t") == [("2",)]
    warehouse.run("ROLLBACK")
    assert warehouse.run("SELECT COUNT(*) FROM t") == [("0",)]
    assert warehouse.run(
        "SELECT status FROM sys_load_history WHERE data_source = 's3://staging/rollback/'"
    ) == [("completed",)]


def test_a_copy_into_a_table_of_the_same_transaction(warehouse: Scratch) -> None:
    staged(warehouse, {"a": [1]}, [pa.int64()], "temp/1.parquet")
    warehouse.run("BEGIN")
    warehouse.run("CREATE TEMP TABLE fresh (a BIGINT)")
    warehouse.run(f"COPY fresh FROM 's3://staging/temp/' {ROLE} FORMAT AS PARQUET")
    assert warehouse.run("SELECT a FROM fresh") == [("1",)]
    warehouse.run("ROLLBACK")


def test_a_manifest_names_the_files_and_their_lengths(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (a BIGINT)")
    size = staged(warehouse, {"a": [1]}, [pa.int64()], "named/1.parquet")
    staged(warehouse, {"a": [2]}, [pa.int64()], "named/2.parquet")
    copy = f"COPY t FROM 's3://staging/m.manifest' {ROLE} FORMAT AS PARQUET MANIFEST"
    entry = {"url": "s3://staging/named/1.parquet", "mandatory": True, "meta": {"content_length": size}}
    manifest(warehouse, [entry])
    warehouse.run(copy)
    assert warehouse.run("SELECT a FROM t") == [("1",)]
    for entries, said in [
        ([entry | {"meta": {"content_length": size + 1}}], "content_length"),
        ([{"url": entry["url"]}], "meta.content_length"),
        ([entry | {"url": "s3://staging/none"}], "does not exist"),
        ([], "no file"),
    ]:
        manifest(warehouse, entries)
        with pytest.raises(SqlError, match=said):
            warehouse.run(copy)


def test_no_file_is_an_error(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (a BIGINT)")
    with pytest.raises(SqlError, match="does not exist"):
        warehouse.run(f"COPY t FROM 's3://staging/nothing/' {ROLE} FORMAT AS PARQUET")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("FORMAT AS PARQUET", "IAM_ROLE"),
        (f"{ROLE} FORMAT AS PARQUET MAXERROR 5", "MAXERROR"),
        (f"{ROLE} FORMAT AS PARQUET REGION 'eu-central-1'", "REGION"),
        (f"{ROLE} FORMAT AS CSV", "FORMAT"),
    ],
)
def test_options_that_parquet_does_not_take_are_refused(options: str, said: str) -> None:
    with pytest.raises(CopyError, match=said):
        parse(f"COPY t FROM 's3://b/k' {options}")


def test_options_that_parquet_takes() -> None:
    options = "IAM_ROLE default FORMAT PARQUET STATUPDATE OFF ACCEPTINVCHARS AS '?' MANIFEST"
    statement = parse(f"COPY s.t (a, b) FROM 's3://b/k' {options};")
    assert statement is not None
    assert (statement.table, statement.columns, statement.manifest) == ("s.t", ("a", "b"), True)
