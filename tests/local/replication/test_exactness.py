"""Load plus changes equals the source, whatever happens to the replicator on the way."""

from __future__ import annotations

import errno
import random
import threading
import time
from pathlib import Path
from typing import Any

import pymysql
import pytest

from medallion_cli.local.replication import checkpoint
from medallion_cli.local.replication.replicator import Replicator
from medallion_cli.local.replication.task import read_task
from tests.local.replication.conftest import Database

pytestmark = pytest.mark.engine
ITEMS = (
    "CREATE TABLE items (id BIGINT NOT NULL AUTO_INCREMENT, n INT NOT NULL, t VARCHAR(50), PRIMARY KEY (id))"
)


class Writer:
    """Inserts, updates (some of the key) and deletes in small transactions, some rolled back."""

    def __init__(self, database: Database, seed: int = 7) -> None:
        self.random = random.Random(seed)
        self.database = database
        self.done = threading.Event()
        self.transactions = 0
        self.thread = threading.Thread(target=self._write)
        self.thread.start()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    def _write(self) -> None:
        with self.database.connect(autocommit=False) as connection, connection.cursor() as cursor:
            while not self.done.is_set():
                for _ in range(self.random.randint(1, 4)):
                    self._change(cursor)
                if self.random.random() < 0.1:
                    connection.rollback()
                else:
                    connection.commit()
                self.transactions += 1

    def _change(self, cursor: Any) -> None:
        value, key = self.random.randint(0, 10**6), self.random.randint(1, 3000)
        try:
            match self.random.choice("IIIUUKD"):
                case "I":
                    cursor.executemany(
                        "INSERT INTO items (n, t) VALUES (%s, %s)", [(value, "ü" * (value % 9))] * 20
                    )
                case "U":
                    cursor.execute(
                        "UPDATE items SET n = %s WHERE id BETWEEN %s AND %s", (value, key, key + 200)
                    )
                case "K":
                    cursor.execute("UPDATE items SET id = id + 10000000 WHERE id = %s", (key,))
                case _:
                    cursor.execute("DELETE FROM items WHERE id = %s", (key,))
        except pymysql.err.IntegrityError:
            pass


def source_rows(database: Database) -> dict[Any, dict[str, Any]]:
    return {(i,): {"id": i, "n": n, "t": t} for i, n, t in database.run("SELECT id, n, t FROM items")}


def sequences(task: Any, table: str) -> list[str]:
    return [row["dms_change_seq"] for row in task.rows(table) if row["dms_change_seq"]]


def test_load_and_changes_while_a_writer_is_busy(database: Database, make_task: Any) -> None:
    database.run(ITEMS, "INSERT INTO items (n, t) SELECT seq, 'x' FROM seq_1_to_200000")
    task = make_task(f"{database.name}.items")
    with Writer(database) as writer:
        time.sleep(0.3)
        task.start()
        task.wait_loaded()
        time.sleep(2)
    task.wait_caught_up(database)
    assert task.stop() == 0
    table = f"{database.name}.items"
    found = sequences(task, table)
    assert writer.transactions > 10
    assert len(found) > 100
    assert len(found) == len(set(found))
    assert task.current(table, ("id",)) == source_rows(database)
    counts = task.statistics()[table]
    assert counts["inserts"] + counts["updates"] + counts["deletes"] == len(found)
    assert counts["load_rows"] == sum(row["dms_change_seq"] == "" for row in task.rows(table))
    assert all(len(text) == 35 and text.isdigit() for text in found)


def test_a_disk_that_is_full_between_the_checkpoint_and_the_files_loses_nothing(
    database: Database, make_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run(ITEMS, "INSERT INTO items (n) VALUES (1)")
    task, table = make_task(f"{database.name}.items"), f"{database.name}.items"
    task.start()
    task.wait_loaded()
    assert task.stop() == 0
    database.run("INSERT INTO items (n) VALUES (2), (3)", "UPDATE items SET n = 4 WHERE n = 1")
    publish = checkpoint.publish

    def full(home: Path, target: Path, state: checkpoint.Checkpoint) -> None:
        if state.pending and "LOAD" not in state.pending[0][1]:
            raise OSError(errno.ENOSPC, "No space left on device")
        publish(home, target, state)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "publish", full)
        with pytest.raises(OSError, match="No space left"):
            Replicator(read_task(task.home), lambda: False, task.log.append).run()
    task.start()
    task.wait_caught_up(database)
    assert task.stop() == 0
    assert task.current(table, ("id",)) == source_rows(database)


def test_killed_at_random_moments_nothing_is_lost_or_doubled(database: Database, make_task: Any) -> None:
    database.run(ITEMS, "INSERT INTO items (n, t) SELECT seq, 'x' FROM seq_1_to_50000")
    task = make_task(f"{database.name}.items", CdcMaxBatchInterval=0.1)
    table = f"{database.name}.items"
    moments, kept = random.Random(3), {}
    with Writer(database, seed=5):
        for _ in range(12):
            task.start()
            time.sleep(moments.uniform(0.3, 1.5))
            task.kill()
            files = [path for path in task.files(table) if not path.name.startswith("LOAD")]
            now = {path: path.read_bytes() for path in files}
            changed = [path.name for path, content in kept.items() if now[path] != content]
            assert changed == []  # what was published never changes
            kept = now
    task.start()
    task.wait_caught_up(database)
    assert task.stop() == 0
    found = sequences(task, table)
    assert len(found) == len(set(found))
    assert task.current(table, ("id",)) == source_rows(database)
    assert task.statistics()[table]["inserts"] == sum(
        row["Op"] == "I" for row in task.rows(table) if row["dms_change_seq"]
    )


def test_killed_between_checkpoint_and_publishing(database: Database, make_task: Any) -> None:
    """The checkpoint names the files; the next start puts them in place."""
    from medallion_cli.local.replication import checkpoint

    database.run(ITEMS)
    task = make_task(f"{database.name}.items")
    task.start()
    task.wait_loaded()
    database.run("INSERT INTO items (n) VALUES (1)")
    task.wait_caught_up(database)
    assert task.stop() == 0
    (published,) = task.files(f"{database.name}.items")
    before = published.read_bytes()
    state = checkpoint.read_checkpoint(task.home)
    published.rename(task.home / "staging" / state.pending[0][0])  # as if the kill had come before the rename
    task.start()
    task.wait(published.exists)
    assert task.stop() == 0
    assert published.read_bytes() == before


def test_the_source_is_killed_and_comes_back(database: Database, make_task: Any) -> None:
    database.run(ITEMS)
    task = make_task(f"{database.name}.items", CdcMaxBatchInterval=0.1)
    task.start()
    task.wait_loaded()
    database.run("INSERT INTO items (n) SELECT seq FROM seq_1_to_100")
    server = database.server
    server._process.kill()
    server._process.wait()
    time.sleep(0.5)
    server.start(server.port)
    database.run("INSERT INTO items (n) SELECT seq FROM seq_1_to_100")
    task.wait_caught_up(database)
    assert task.stop() == 0
    assert len(task.rows(f"{database.name}.items")) == 200
    assert task.current(f"{database.name}.items", ("id",)) == source_rows(database)


def test_stop_flushes_the_last_batch_and_resume_goes_on(database: Database, make_task: Any) -> None:
    database.run(ITEMS)
    task = make_task(f"{database.name}.items", CdcMaxBatchInterval=600)
    task.start()
    task.wait_loaded()
    database.run("INSERT INTO items (n) VALUES (1)")
    time.sleep(1)
    assert task.files(f"{database.name}.items") == []  # the batch is not due yet
    assert task.stop() == 0
    assert [row["n"] for row in task.rows(f"{database.name}.items")] == [1]
    database.run("INSERT INTO items (n) VALUES (2)")  # while it is stopped
    task.start()
    time.sleep(1.5)
    assert task.stop() == 0
    assert sorted(row["n"] for row in task.rows(f"{database.name}.items")) == [1, 2]


def test_layout_and_frame_are_those_of_dms(database: Database, make_task: Any) -> None:
    database.run(ITEMS, "INSERT INTO items (n, t) VALUES (1, 'a')")
    task = make_task(f"{database.name}.items")
    task.start()
    task.wait_loaded()
    database.run("UPDATE items SET id = 100 WHERE id = 1", "DELETE FROM items WHERE id = 100")
    task.wait_caught_up(database)
    assert task.stop() == 0
    load, *changes = reversed(task.files(f"{database.name}.items"))
    folder = task.target / "g0001" / database.name / "items"
    assert load == folder / "LOAD00000001.parquet"
    for path in changes:
        stem = path.stem
        assert path.parent == folder / stem[:4] / stem[4:6] / stem[6:8]
        assert len(stem) == len("YYYYMMDD-HHMMSSmmm")
    first, changed, deleted = sorted(
        task.rows(f"{database.name}.items"), key=lambda row: row["dms_change_seq"]
    )
    assert list(first) == ["Op", "id", "n", "t", "BI_id", "dms_commit_ts", "dms_change_seq"]
    assert (first["Op"], first["BI_id"], first["dms_change_seq"]) == ("I", None, "")
    assert first["dms_commit_ts"] == "2026-09-21 14:13:20.123456"
    assert (changed["Op"], changed["id"], changed["BI_id"]) == ("U", 100, 1)
    assert (deleted["Op"], deleted["id"], deleted["BI_id"]) == ("D", 100, 100)


def test_a_changed_table_goes_on_with_its_new_columns(database: Database, make_task: Any) -> None:
    database.run(ITEMS, "INSERT INTO items (n, t) VALUES (1, 'a')")
    task = make_task(f"{database.name}.items", CdcMaxBatchInterval=600)
    task.start()
    task.wait_loaded()
    database.run(
        "INSERT INTO items (n, t) VALUES (2, 'b')",
        "ALTER TABLE items ADD COLUMN extra DECIMAL(6,2) AFTER id, DROP COLUMN t",
        "INSERT INTO items (extra, n) VALUES (3.5, 3)",
        "TRUNCATE TABLE items",
        "INSERT INTO items (extra, n) VALUES (4.5, 4)",
    )
    time.sleep(1)
    assert task.stop() == 0
    rows = sorted(task.rows(f"{database.name}.items"), key=lambda row: row["n"])
    assert [(row["n"], row.get("t"), row.get("extra")) for row in rows[:2]] == [
        (1, "a", None),
        (2, "b", None),
    ]
    assert [(row["n"], float(row["extra"])) for row in rows[2:]] == [(3, 3.5), (4, 4.5)]
    assert "TRUNCATE TABLE" in task.output()
    assert task.statistics()[f"{database.name}.items"]["ddls"] == 2


def test_a_purged_binlog_fails_the_task_with_the_reason(database: Database, make_task: Any) -> None:
    database.run(ITEMS)
    task = make_task(f"{database.name}.items")
    task.start()
    task.wait_loaded()
    assert task.stop() == 0
    with database.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("FLUSH BINARY LOGS")
        cursor.execute("SHOW MASTER STATUS")
        newest = cursor.fetchone()[0]
        while (
            cursor.execute("SHOW BINARY LOGS") > 1
        ):  # a file that a connection still reads is kept for a moment
            cursor.execute("PURGE BINARY LOGS TO %s", (newest,))
            time.sleep(0.2)
    task.start()
    assert task.process is not None
    assert task.process.wait(30) == 3
    assert "binlog position is not available" in (task.home / "status.json").read_text()


def test_a_missing_table_is_shown_and_no_table_fails(database: Database, make_task: Any) -> None:
    database.run(ITEMS)
    task = make_task(f"{database.name}.items", f"{database.name}.nothing")
    task.start()
    task.wait_loaded()
    task.stop()
    assert task.statistics()[f"{database.name}.nothing"]["state"] == "Table does not exist"
    alone = make_task(f"{database.name}.nothing")
    alone.start()
    assert alone.process is not None
    assert alone.process.wait(30) == 3
    assert "No tables were found" in (alone.home / "status.json").read_text()
