"""redshift_connector against the wire endpoint."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
import redshift_connector
from fake_runtime import FakeRuntime
from scratch_warehouse import ADMIN, DATABASE, PASSWORD, Scratch
from test_copy import ROLE, staged

pytestmark = pytest.mark.engine


def connected(runtime: FakeRuntime, password: str = PASSWORD) -> Any:
    endpoint = runtime.services["redshift-serverless"].get_workgroup({"workgroupName": "scratch"})[
        "workgroup"
    ]["endpoint"]
    return redshift_connector.connect(
        host=endpoint["address"],
        port=endpoint["port"],
        user=ADMIN,
        password=password,
        database=DATABASE,
        ssl=False,
    )


@pytest.fixture
def connection(runtime: FakeRuntime, warehouse: Scratch) -> Iterator[Any]:
    """A driver's connection whose search path is the test's schema."""
    opened = connected(runtime)
    schema = warehouse.run("SELECT CURRENT_SCHEMA()")[0][0]
    ask(opened, f"SET search_path TO {schema}")
    opened.commit()
    yield opened
    opened.close()


def ask(connection: Any, sql: str, values: Any = None) -> Any:
    cursor = connection.cursor()
    cursor.execute(sql, values)
    return [tuple(row) for row in cursor.fetchall()] if cursor.description else None


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_wrong_password_is_refused(runtime: FakeRuntime) -> None:
    with pytest.raises(redshift_connector.Error, match="password authentication failed"):
        connected(runtime, "wrong")
    gc.collect()  # the driver leaves its socket to the collector


def test_parameters_and_executemany(connection: Any) -> None:
    ask(connection, "CREATE TABLE t (a BIGINT ENCODE az64, b VARCHAR(20), c DECIMAL(10,2))")
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO t VALUES (%s, %s, %s)", [(1, "it's", 1.5), (2, None, None)])
    connection.commit()
    assert ask(connection, "SELECT a, NVL(b, '-') FROM t WHERE a >= %s ORDER BY a", (1,)) == [
        (1, "it's"),
        (2, "-"),
    ]


def test_a_rollback_undoes_and_a_commit_keeps(connection: Any) -> None:
    ask(connection, "CREATE TABLE t (a BIGINT)")
    connection.commit()
    ask(connection, "INSERT INTO t VALUES (1)")
    connection.rollback()
    ask(connection, "INSERT INTO t VALUES (2)")
    connection.commit()
    connection.rollback()
    assert ask(connection, "SELECT a FROM t") == [(2,)]


def test_call_returns_its_inout(connection: Any) -> None:
    ask(
        connection,
        "CREATE PROCEDURE twice(n INOUT BIGINT, note VARCHAR(MAX)) LANGUAGE plpgsql AS $$ "
        "BEGIN n := NVL(n, 0) * 2; RAISE INFO 'done %', note; END $$",
    )
    assert ask(connection, "CALL twice(%s, %s)", (21, "x")) == [(42,)]


def test_copy_within_a_transaction(connection: Any, warehouse: Scratch) -> None:
    ask(connection, "CREATE TABLE t (a BIGINT)")
    connection.commit()
    staged(warehouse, {"a": list(range(40_000))}, [pa.int64()], "wire/1.parquet")
    copy = f"-- with a comment\nCOPY t FROM 's3://staging/wire/' {ROLE} FORMAT AS PARQUET"
    ask(connection, copy)
    assert ask(connection, "SELECT COUNT(*), SUM(a) FROM t")[0][0] == 40_000
    connection.rollback()
    assert ask(connection, "SELECT COUNT(*) FROM t") == [(0,)]
    ask(connection, copy)
    connection.commit()
    assert ask(connection, "SELECT COUNT(*) FROM t") == [(40_000,)]


def test_a_failed_copy_fails_the_transaction_and_leaves_the_connection(
    connection: Any, warehouse: Scratch
) -> None:
    ask(connection, "CREATE TABLE t (a BIGINT)")
    connection.commit()
    staged(warehouse, {"a": [1]}, [pa.int32()], "bad/1.parquet")
    for uri, said in (("bad", "incompatible Parquet schema"), ("absent", "does not exist")):
        with pytest.raises(redshift_connector.ProgrammingError, match=said):
            ask(connection, f"COPY t FROM 's3://staging/{uri}/' {ROLE} FORMAT AS PARQUET")
        with pytest.raises(redshift_connector.ProgrammingError, match="aborted"):
            ask(connection, "SELECT 1")
        connection.rollback()
    assert ask(connection, "SELECT COUNT(*) FROM t") == [(0,)]


def test_a_row_that_the_server_refuses_ends_the_copy(connection: Any, warehouse: Scratch) -> None:
    ask(connection, "CREATE TABLE t (a VARCHAR(3))")
    staged(warehouse, {"a": ["toolong"] * 100_000}, [pa.string()], "refused/1.parquet")
    with pytest.raises(redshift_connector.ProgrammingError, match="too long"):
        ask(connection, f"COPY t FROM 's3://staging/refused/' {ROLE} FORMAT AS PARQUET")
    connection.rollback()
    assert ask(connection, "SELECT 1") == [(1,)]


def test_truncate_commits(connection: Any) -> None:
    ask(connection, "CREATE TABLE t (a BIGINT)")
    ask(connection, "INSERT INTO t VALUES (1)")
    ask(connection, "TRUNCATE t")
    connection.rollback()
    assert ask(connection, "SELECT COUNT(*) FROM t") == [(0,)]


def test_refused_sql_fails_the_transaction(connection: Any) -> None:
    ask(connection, "SELECT 1")
    with pytest.raises(redshift_connector.ProgrammingError, match="TOP is not supported"):
        ask(connection, "SELECT TOP 1 1")
    with pytest.raises(redshift_connector.ProgrammingError, match="aborted"):
        ask(connection, "SELECT 1")
    connection.rollback()
    with pytest.raises(redshift_connector.ProgrammingError, match="multiple commands"):
        ask(connection, "SELECT 1; SELECT 2")
    connection.rollback()


def test_vacuum_under_autocommit(connection: Any) -> None:
    connection.autocommit = True
    ask(connection, "CREATE TABLE t (a BIGINT)")
    ask(connection, "VACUUM FULL t TO 100 PERCENT")
    ask(connection, "ANALYZE t")


def test_large_results(connection: Any) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
    assert len(ask(connection, f"{numbers} SELECT i, MD5(i::varchar) FROM n")) == 50_000
