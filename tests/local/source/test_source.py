"""The source Lambda's operations on a real server: safe to repeat, exact after a kill, and the ledger is the
truth.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import floating_numbers
import pymysql
import pytest
from lambda_source import MASTER, REPLICA, SAKILA, LambdaSource

from medallion_cli.canonical import canonical
from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.local.engines.mariadb import MariaDB

pytestmark = pytest.mark.engine
Make = Callable[..., LambdaSource]
Read = Callable[[LambdaSource, str], list[dict[str, Any]]]


def test_bootstrap_twice_leaves_everything_as_it_was(shop: LambdaSource, server: MariaDB) -> None:
    shop.seed(200, 1)
    before = shop.call("checksums", token="a")["tables"]
    found = shop.call("bootstrap")
    assert found["replication_user"] == "replicator"
    assert len(found["tables"]) == 8
    assert shop.call("checksums", token="b")["tables"] == before
    replica = pymysql.connect(
        host="127.0.0.1", port=server.port, user=REPLICA["username"], password=REPLICA["password"]
    )
    with replica, replica.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {shop.schema}.orders")
        cursor.execute("SHOW MASTER STATUS")
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            cursor.execute(f"DELETE FROM {shop.schema}.orders")


def test_a_killed_seed_goes_on_to_exact_counts_and_the_same_rows(make: Make) -> None:
    whole = make()
    whole.seed(120_000, 5)
    expected = whole.call("checksums", token="w")["tables"]
    cut = make()
    state = cut.call("plan", kind="rows", wanted=120_000, seed=5)
    running = cut.start("seed_chunk", plan_id=state["plan_id"], seconds=60)
    _until(lambda: 2 <= _done(cut, state) < 120_000)
    _kill(running)
    assert 0 < _done(cut, state) < 120_000
    assert sum(cut.call("counts")["tables"].values()) == _done(cut, state)
    assert cut.seed(120_000, 5)["plan_id"] == state["plan_id"]
    assert sum(cut.call("counts")["tables"].values()) == 120_000
    assert cut.call("checksums", token="c")["tables"] == expected


def _kill(process: subprocess.Popen[str]) -> None:
    with process:
        process.kill()


def _done(source: LambdaSource, state: dict[str, Any]) -> int:
    return int(source.call("plan", kind=state["kind"], wanted=state["wanted"], seed=state["seed"])["done"])


def _until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_finished_seed_typed_again_adds_nothing_and_without_a_seed_adds_rows(shop: LambdaSource) -> None:
    shop.seed(1_000, 5)
    shop.seed(1_000, 5)
    assert sum(shop.call("counts")["tables"].values()) == 1_000
    shop.seed(1_000)
    shop.seed(500)
    assert sum(shop.call("counts")["tables"].values()) == 2_500
    assert shop.call("ledger")["expected"] == shop.call("counts")["tables"]


def test_a_seed_is_foreseen_and_nothing_recorded(shop: LambdaSource) -> None:
    foreseen = shop.call("foresee", wanted=1_000, seed=5)
    assert shop.call("counts")["tables"] == dict.fromkeys(foreseen["rows"], 0)
    assert shop.call("foresee", wanted=1_000, seed=5) == foreseen
    assert shop.seed(1_000, 5)["plan_id"] == 1
    assert shop.call("counts")["tables"] == foreseen["rows"]
    assert shop.call("foresee", wanted=1_000, seed=5) == {"rows": {}, "done": 1_000}
    assert sum(shop.call("foresee", wanted=500)["rows"].values()) == 500


def test_rows_load_the_same_without_local_infile(make: Make, server: MariaDB) -> None:
    with_file = make()
    with_file.seed(5_000, 5)
    expected = with_file.call("checksums", token="a")["tables"]
    without = make()
    _local_infile(server, "OFF")
    try:
        without.seed(5_000, 5)
    finally:
        _local_infile(server, "ON")
    assert expected == without.call("checksums", token="b")["tables"]


def _local_infile(server: MariaDB, value: str) -> None:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SET GLOBAL local_infile = {value}")


def test_rows_that_were_there_before_are_expected_too(shop: LambdaSource, server: MariaDB) -> None:
    with server.connect(database=shop.schema) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO brands VALUES (41, 'before', NULL, NOW(6), NOW(6))")
    shop.seed(500, 5)
    shop.change(100, 5)
    assert shop.call("ledger")["expected"] == shop.call("counts")["tables"]
    assert shop.call("row", table="brands", key={"brand_id": 42})["row"]["name"] != "before"


def test_the_change_ledger_replayed_over_the_rows_before_gives_the_rows_after(
    shop: LambdaSource, rows_of: Read
) -> None:
    shop.seed(20_000, 5)
    tables = {
        table: _by_key(rows_of(shop, f"SELECT * FROM {table}"), key) for table, key in _keys(shop).items()
    }
    shop.change(3_000, 9)
    ledger = shop.ledger()
    _replay(tables, ledger)
    for table, key in _keys(shop).items():
        assert tables[table] == _by_key(rows_of(shop, f"SELECT * FROM {table}"), key), table
    assert len(ledger) == 3_000
    assert {change["op"] for change in ledger} == {"I", "U", "D"}
    assert {change["table"] for change in ledger if change["old_key"]} == {"order_items", "payments"}
    often = Counter((change["table"], json.dumps(change["key"])) for change in ledger)
    assert {table for (table, _), times in often.items() if times >= 3} >= {"customers", "products", "orders"}
    assert not _orphans(shop, rows_of)


def _keys(source: LambdaSource) -> dict[str, list[str]]:
    document = json.loads((source.folder / "pipeline.json").read_text())
    return {table["name"]: table["key"] for table in document["tables"]}


def _by_key(rows: list[dict[str, Any]], key: list[str]) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(row[column] for column in key): row for row in rows}


def _replay(tables: dict[str, dict[tuple[str, ...], dict[str, Any]]], ledger: list[dict[str, Any]]) -> None:
    for change in ledger:
        rows, key = tables[change["table"]], tuple(change["key"].values())
        match change["op"]:
            case "I":
                assert key not in rows
                rows[key] = change["row"]
            case "U":
                before = rows.pop(tuple((change["old_key"] or change["key"]).values()))
                assert before != change["row"]
                rows[key] = change["row"]
            case "D":
                del rows[key]


def _orphans(source: LambdaSource, rows_of: Read) -> list[tuple[str, str]]:
    references = rows_of(
        source,
        "SELECT TABLE_NAME t, COLUMN_NAME c, REFERENCED_TABLE_NAME rt, REFERENCED_COLUMN_NAME rc"
        " FROM information_schema.KEY_COLUMN_USAGE"
        " WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL",
    )
    assert references
    return [
        (r["t"], r["c"])
        for r in references
        if rows_of(
            source, f"SELECT 1 FROM {r['t']} WHERE {r['c']} NOT IN (SELECT {r['rc']} FROM {r['rt']}) LIMIT 1"
        )
    ]


def test_killed_changes_go_on_to_what_they_would_have_been(make: Make) -> None:
    whole = make()
    whole.seed(3_000, 5)
    whole.change(2_500, 9)
    expected = whole.call("checksums", token="w")["tables"]
    cut = make()
    cut.seed(3_000, 5)
    state = cut.call("plan", kind="changes", wanted=2_500, seed=9)
    running = cut.start("change_chunk", plan_id=state["plan_id"], seconds=60)
    _until(lambda: 50 <= _done(cut, state) < 2_500)
    _kill(running)
    assert 50 <= _done(cut, state) < 2_500
    assert len(cut.ledger()) == _done(cut, state)
    assert cut.change(2_500, 9)["plan_id"] == state["plan_id"]
    assert len(cut.ledger()) == 2_500
    assert cut.call("checksums", token="c")["tables"] == expected


def test_a_schema_without_a_recipe_is_seeded_and_changed(make: Make, rows_of: Read) -> None:
    rentals = make(SAKILA / "sql" / "mysql" / "schema.sql", None)
    rentals.seed(4_000, 3)
    assert sum(rentals.call("counts")["tables"].values()) == 4_000
    assert min(rentals.call("counts")["tables"].values()) >= 1
    assert not _orphans(rentals, rows_of)
    tables = {
        table: _by_key(rows_of(rentals, f"SELECT * FROM {table}"), key)
        for table, key in _keys(rentals).items()
    }
    rentals.change(800, 3)
    _replay(tables, rentals.ledger())
    for table, key in _keys(rentals).items():
        assert tables[table] == _by_key(rows_of(rentals, f"SELECT * FROM {table}"), key), table
    assert not _orphans(rentals, rows_of)


def test_a_checksum_is_the_sum_of_the_hashes_of_known_rows(shop: LambdaSource, server: MariaDB) -> None:
    with server.connect(database=shop.schema) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO brands VALUES (1, 'Ünï|code', NULL, '2024-02-29 12:00:00.5', '2024-02-29 12:00:01')"
        )
    moments = "26:2024-02-29 12:00:00.500000|26:2024-02-29 12:00:01.000000"
    digest = hashlib.md5(f"1:1|8:Ünï|code|~|{moments}".encode()).hexdigest()
    lanes = ":".join(str(int(digest[i : i + 8], 16)) for i in (0, 8, 16, 24))
    found = shop.call("checksums", tables=["brands"], token="t")
    assert found["tables"] == {"brands": {"rows": 1, "checksum": f"1:{lanes}"}}


def test_checksums_are_those_of_the_moment_of_the_heartbeat(shop: LambdaSource, rows_of: Read) -> None:
    shop.seed(500, 5)
    found = shop.call("checksums", token="moment")
    beats = rows_of(shop, "SELECT * FROM medallion.heartbeat WHERE token = 'moment'")
    assert [int(beat["id"]) for beat in beats] == [found["heartbeat"]]
    shop.change(50, 5)
    assert shop.call("checksums", token="later")["tables"] != found["tables"]


def _added(checksums: list[str]) -> str:
    return ":".join(
        str(sum(map(int, parts))) for parts in zip(*(c.split(":") for c in checksums), strict=True)
    )


def test_buckets_of_keys_add_up_to_the_checksum_and_their_rows_are_read(shop: LambdaSource) -> None:
    shop.seed(600, 5)
    asked: dict[str, Any] = {"table": "order_items", "token": "t"}
    whole = shop.call("checksums", tables=["order_items"], token="t")["tables"]["order_items"]
    buckets = shop.call("digests", digits=1, **asked)["digests"]
    assert _added(list(buckets.values())) == whole["checksum"]
    name, checksum = max(buckets.items())
    within = shop.call("digests", digits=3, prefixes=[name], **asked)["digests"]
    assert _added(list(within.values())) == checksum
    rows = shop.call("cells", prefixes=[name], **asked)["rows"]
    assert len(rows) == int(checksum.split(":")[0])
    for (order, line), cells in rows:
        assert hashlib.md5(f"{len(order)}:{order}|{len(line)}:{line}".encode()).hexdigest()[0] == name
        assert cells.startswith(hashlib.md5(f"{len(order)}:{order}".encode()).hexdigest()[:8])
    for wrong in (
        {"digits": 0},
        {"digits": 1, "prefixes": ["0' OR 1=1"]},
        {"digits": 2, "prefixes": ["a", "bc"]},
    ):
        with pytest.raises(UsageError, match="digits"):
            shop.call("digests", **asked, **wrong)


def test_what_is_wrong_is_said(shop: LambdaSource) -> None:
    with pytest.raises(UsageError, match="no operation 'drop'"):
        shop.call("drop")
    with pytest.raises(UsageError, match="no table elsewhere"):
        shop.call("checksums", tables=["elsewhere"], token="t")
    with pytest.raises(UsageError, match="the key is brand_id"):
        shop.call("row", table="brands", key={"name": "x"})
    with pytest.raises(MedallionError, match="no rows to change"):
        shop.call("plan", kind="changes", wanted=10, seed=1)
    with pytest.raises(MedallionError, match="no seed plan 99"):
        shop.call("seed_chunk", plan_id=99)
    assert MASTER["password"] not in json.dumps(shop.call("settings"))


def test_a_second_writer_waits_its_turn(shop: LambdaSource) -> None:
    state = shop.call("plan", kind="rows", wanted=60_000, seed=5)
    running = [shop.start("seed_chunk", plan_id=state["plan_id"], seconds=60) for _ in range(2)]
    results = []
    for process in running:
        with process:
            results.append(json.loads(process.communicate()[0]))
    assert [result["finished"] for result in results] == [True, True]
    assert sum(shop.call("counts")["tables"].values()) == 60_000


def test_binary_numbers_have_one_text_on_the_source_too(shop: LambdaSource, rows_of: Read) -> None:
    text = canonical("double", "x")["mysql"]
    found = rows_of(shop, f"SELECT {text} AS x FROM ({floating_numbers.rows_sql('mysql')}) q ORDER BY n")
    assert [row["x"] for row in found] == list(floating_numbers.TEXTS.values())
