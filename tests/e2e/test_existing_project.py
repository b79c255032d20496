"""Somebody's database becomes a warehouse with no hand edits; then every layer and gold are looked at."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import REPOSITORY, Medallion

from medallion_cli.local.engines.mariadb import MariaDB
from medallion_cli.local.engines.processes import free_port

ROWS = REPOSITORY.parent / "shared" / "data" / "sakila"
PASSWORD = 'it\'s "theirs" 1'
PAYMENTS, SUM = 16_049, "67416.51"
pytestmark = [
    pytest.mark.engine,
    pytest.mark.recovery,
    pytest.mark.skipif(not ROWS.is_dir(), reason="the Sakila rows are not beside the repository"),
]


@pytest.fixture(scope="module")
def theirs() -> Iterator[str]:
    """A server of somebody's with all of Sakila; its URL."""
    cache = Path(tempfile.gettempdir()) / f"medallion-test-cache-{os.getuid()}"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="medallion-theirs-", ignore_cleanup_errors=True) as home:
        os.chmod(home, 0o755)
        nobody = (65534, 65534) if os.getuid() == 0 else None
        server = MariaDB(Path(home) / "mariadb", cache=cache, user=nobody)
        server.start(free_port())
        load(server)
        yield f"mysql://reader@127.0.0.1:{server.port}/sakila"
        server.stop()


def load(server: MariaDB) -> None:
    """Sakila as its README says, and a user who may only read it."""
    with server.connect(local_infile=True) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE sakila CHARACTER SET utf8mb4")
        cursor.execute("USE sakila")
        for statement in filter(None, map(str.strip, (ROWS / "schema.sql").read_text().split(";\n"))):
            cursor.execute(statement)
        cursor.execute("SET foreign_key_checks = 0")
        for file in sorted(ROWS.glob("*.tsv")):
            cursor.execute(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {file.stem} CHARACTER SET binary")
        cursor.execute("CREATE USER reader@'%%' IDENTIFIED BY %s", (PASSWORD,))
        cursor.execute("GRANT SELECT ON sakila.* TO reader@'%'")


@pytest.fixture(scope="module")
def shop(home: Path, theirs: str) -> Medallion:
    """The project that `init` made, up and run."""
    project = home / "projects" / "rental"
    tool = Medallion(home, "sakila-local", variables={"MYSQL_PWD": PASSWORD})
    made = tool.json("init", str(project), "--from-mysql", theirs)
    assert made["findings"] == []
    tool.project = project
    tool("up", "--yes")
    tool("run")
    return tool


def test_it_is_equal_with_no_hand_edits(shop: Medallion) -> None:
    found = shop.verified()
    assert len(found["tables"]) == len(found["models"]) == 15
    (payments,) = shop.query("SELECT COUNT(*) AS payments, SUM(amount) AS total FROM gold.payment")
    assert payments == {"payments": PAYMENTS, "total": SUM}
    assert shop.query("SELECT COUNT(*) AS n FROM gold.staff WHERE picture IS NOT NULL") == [{"n": 1}]
    out, err = shop.ended("up", "--yes", code=0)
    assert "rows of sakila" not in out + err, "the rows are copied once"


def test_every_layer_shows_the_same_row(shop: Medallion) -> None:
    shown = {}
    for layer in ("source", "bronze", "silver", "staging", "gold"):
        (row,) = shop.json("peek", layer, "customer", "--key", "1")
        shown[layer] = (str(row["customer_id"]), row["first_name"], str(row["active"]))
    assert set(shown.values()) == {("1", "***", "1")}
    (bronze,) = shop.json("peek", "bronze", "customer", "--key", "1", "--show-personal")
    assert bronze["first_name"] == "MARY"
    assert bronze["file"].endswith("/sakila/customer/LOAD00000001.parquet")
    (silver,) = shop.json("peek", "silver", "customer_changes", "--key", "1")
    assert silver["_generation"] == "g0001"
    assert len(shop.json("peek", "source", "film_actor", "--key", "actor_id=1", "--limit", "5")) == 5
    assert "no key of actor_id, film_id" in shop.refused("peek", "gold", "film_actor", "--key", "1", code=2)


def piped(shop: Medallion, text: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "medallion_cli.cli", "--project", str(shop.project), "query", *words],
        input=text.encode(), capture_output=True, check=False,
        env={**os.environ, "MEDALLION_STATE_HOME": str(shop.home)},
    )  # fmt: skip


def test_results_as_csv_and_parquet_and_sql_on_stdin(shop: Medallion) -> None:
    sql = "SELECT film_id, title, rental_rate, last_update FROM gold.film ORDER BY film_id LIMIT 2;"
    found = piped(shop, sql, "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(found.stdout.decode())))
    assert rows[0] == {
        "film_id": "1", "title": "ACADEMY DINOSAUR", "rental_rate": "0.99", "last_update": rows[0]["last_update"],
    }  # fmt: skip
    assert "T" in rows[0]["last_update"]
    import pyarrow.parquet as pq

    parquet = piped(shop, sql, "--output", "parquet")
    table = pq.read_table(io.BytesIO(parquet.stdout))
    assert [str(field.type) for field in table.schema][:3] == ["int32", "string", "decimal128(3, 2)"]
    assert table.num_rows == 2


@pytest.mark.parametrize("transport", ["direct", "data_api"])
def test_the_warehouse_itself_refuses_to_change_anything_without_write(
    shop: Medallion, transport: str
) -> None:
    shop.variables["MEDALLION_CONNECTION"] = transport
    for sql in ("DELETE FROM gold.film", "SELECT * INTO gold.x FROM gold.film", "CALL etl.migrate()"):
        assert "one statement that reads" in shop.refused("query", sql, code=2)
    hidden = "EXPLAIN ANALYZE DELETE FROM gold.film -- a parser may be fooled; the warehouse is asked"
    from medallion_cli.operations.query import _writing

    assert _writing("DELETE FROM gold.film") == "DELETE"
    shop.refused("query", hidden, code=2)
    before = shop.query("SELECT COUNT(*) AS n FROM gold.film")
    assert as_reader(shop, "DELETE FROM gold.film") == "permission denied"
    assert as_reader(shop, "CREATE TABLE gold.x (a INT)") == "permission denied"
    assert shop.query("SELECT COUNT(*) AS n FROM gold.film") == before
    shop("query", "--write", "CREATE TABLE gold.scratch AS SELECT 1 AS one")
    shop("query", "--write", "DROP TABLE gold.scratch")
    assert shop.query("SELECT COUNT(*) > 0 AS some FROM etl.load") == [{"some": True}]


def as_reader(shop: Medallion, sql: str) -> str:
    """What the warehouse says when nothing has looked at the statement before it."""
    code = (
        "import sys; from medallion_cli.commands.context import Invocation; from medallion_cli.console import Terminal;"
        "from medallion_cli.commands.data import warehouse; from pathlib import Path;"
        "call = Invocation('local', Path(sys.argv[1]), Terminal());"
        "warehouse(call).read(sys.argv[2])"
    )
    done: Any = subprocess.run(
        [sys.executable, "-c", code, str(shop.project), sql],
        env={**os.environ, "MEDALLION_STATE_HOME": str(shop.home), **shop.variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return "permission denied" if "permission denied" in done.stderr else done.stderr[-400:]
