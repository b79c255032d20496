"""`init --from-mysql` on a real server: what it can take becomes a valid project, the rest is named with its reason."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lambda_source import MASTER, SAKILA, LambdaSource

from medallion_cli.assets import Assets
from medallion_cli.cli import main
from medallion_cli.errors import UsageError
from medallion_cli.local.engines.mariadb import MariaDB
from medallion_cli.operations.copy_rows import chunks
from medallion_cli.operations.scaffold import existing
from medallion_cli.spec import load_pipeline

pytestmark = pytest.mark.engine
ODD = """
CREATE TABLE parent (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, e_mail VARCHAR(90) COLLATE utf8mb4_bin NULL);
CREATE TABLE child (
  a INT NOT NULL, b VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL, parent_id INT UNSIGNED NULL,
  amount DECIMAL(12,4) NOT NULL DEFAULT 1.5000, state ENUM('it''s','new') NOT NULL DEFAULT 'new', flags SET('x','y') NULL,
  doc JSON NULL, at DATETIME(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), is_on BIT(1) NULL,
  twice INT GENERATED ALWAYS AS (a * 2) VIRTUAL, `group` INT NULL, y YEAR NULL, secret LONGBLOB NULL,
  PRIMARY KEY (a, b), UNIQUE KEY by_amount (amount, a), KEY (state), FOREIGN KEY (parent_id) REFERENCES parent (id)
);
CREATE TABLE counted (k VARCHAR(9) NOT NULL PRIMARY KEY, n BIGINT NOT NULL AUTO_INCREMENT, KEY (n)) ENGINE=MyISAM;
CREATE TABLE loose (a INT NULL, UNIQUE KEY (a));
CREATE TABLE wide (id INT PRIMARY KEY, big DECIMAL(65,2) NULL);
CREATE TABLE bits (id INT PRIMARY KEY, b BIT(9) NULL);
CREATE TABLE place (id INT PRIMARY KEY, at POINT NULL, FOREIGN KEY (id) REFERENCES wide (id));
CREATE TABLE refers (id INT PRIMARY KEY, wide_id INT NULL, FOREIGN KEY (wide_id) REFERENCES wide (id));
CREATE TABLE `odd name` (id INT PRIMARY KEY);
CREATE TABLE ours (id INT PRIMARY KEY, Op CHAR(1) NULL);
CREATE TABLE texts (t VARCHAR(200) NOT NULL, PRIMARY KEY (t(10)));
CREATE VIEW seen AS SELECT id FROM parent;
INSERT INTO parent (e_mail) VALUES ('a@b.c'), (NULL);
INSERT INTO child (a, b, parent_id, state, flags, doc, is_on, `group`, y, secret) VALUES
  (1, 'ä', 1, 'it''s', 'x,y', '{"a": [1]}', 1, 7, 1999, UNHEX('00FF')), (0, '', NULL, 'new', NULL, NULL, 0, NULL, NULL, NULL);
"""


def executed(server: MariaDB, schema: str, script: str) -> None:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {schema} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {schema}")
        cursor.execute("SET foreign_key_checks = 0")
        for statement in filter(None, map(str.strip, script.split(";\n"))):
            cursor.execute(statement)


@pytest.fixture
def odd(server: MariaDB, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a database with tables of every sort; its password is in the environment."""
    executed(server, "oddities", ODD)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("GRANT SELECT ON oddities.* TO %s@'%%'", (MASTER["username"],))
    monkeypatch.setenv("MYSQL_PWD", MASTER["password"])
    yield f"mysql://{MASTER['username']}@127.0.0.1:{server.port}/oddities"
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("DROP DATABASE oddities")


def initialised(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """The document of an `init` that finds nothing wrong with what it made."""
    with pytest.raises(SystemExit) as ended:
        main(["--output", "json", "init", *words])
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    found: dict[str, Any] = json.loads(said.out)
    assert found["findings"] == []
    return found


def test_what_can_be_taken_is_a_valid_project_and_the_rest_has_its_reason(
    odd: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = initialised(capsys, str(tmp_path / "odd"), "--from-mysql", odd)
    pipeline = load_pipeline(Assets.find(tmp_path / "odd"))
    assert [(table.name, table.key) for table in pipeline.tables] == [
        ("child", ("a", "b")), ("counted", ("k",)), ("parent", ("id",)), ("refers", ("id",)),
    ]  # fmt: skip
    assert [model.kind for model in pipeline.models] == ["copy"] * 4
    assert pipeline.table("parent").personal == ("e_mail",)
    assert {c.name: c.mysql for c in pipeline.table("child").columns}["doc"] == "json"
    reasons = {note.partition(" ")[0]: note for note in found["review"] if "left out" in note}
    for name, word in {"loose": "UNIQUE (a)", "wide": "38 digits", "bits": "BIT(1)", "place": "nothing",
                       "odd": "letters", "ours": "Op", "texts": "head of a text"}.items():  # fmt: skip
        assert word in reasons[name], found["review"]
    text = (tmp_path / "odd/configs/pipeline.yaml").read_text()
    assert "# loose   # review: left out, since it has no primary key" in text
    assert "twice is computed by the source" in text
    assert "personal: [e_mail]   # review: guessed" in text
    assert "it refers to wide, which is left out" in " ".join(found["review"])


def test_the_source_takes_the_made_ddl_and_the_rows_as_they_are(
    odd: str,
    server: MariaDB,
    make: Callable[..., LambdaSource],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    initialised(capsys, str(tmp_path / "odd"), "--from-mysql", odd)
    source = make(tmp_path / "odd/sql/mysql/schema.sql", None)
    pipeline = load_pipeline(Assets.find(tmp_path / "odd"))
    address = existing.parse_url(odd)
    for _ in range(2):  # again is no harm
        with existing.connected(address, MASTER["password"]) as connection:
            from medallion_cli.operations.copy_rows import _selected

            for table in pipeline.tables:
                names, rows = _selected(connection, "oddities", table)
                for chunk in chunks(rows):
                    source.call(
                        "insert_rows", table=table.name, columns=names, rows=json.loads(json.dumps(chunk))
                    )
    with server.connect() as connection, connection.cursor() as cursor:
        for table in ("parent", "child"):
            both = []
            for schema in ("oddities", source.schema):
                cursor.execute(f"SELECT * FROM {schema}.{table} ORDER BY 1, 2")
                both.append(cursor.fetchall())
            assert both[0] == both[1]
            assert len(both[0]) == 2
    assert source.call("rows", table="child", key={"a": "1"}, limit=5)["rows"][0][:3] == ["1", "ä", "1"]
    assert len(source.call("rows", table="parent", limit=1)["rows"]) == 1
    with pytest.raises(UsageError, match="no table loose"):
        source.call("rows", table="loose")
    with pytest.raises(UsageError, match="no column nope"):
        source.call("insert_rows", table="parent", columns=["nope"], rows=[["1"]])
    with pytest.raises(UsageError, match="no column twice that takes values"):
        source.call("insert_rows", table="child", columns=["twice"], rows=[["1"]])


def test_sakila_read_back_is_the_sakila_that_was_written_by_hand(
    server: MariaDB, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    executed(server, "sakila_there", (SAKILA / "sql/mysql/schema.sql").read_text())
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("GRANT SELECT ON sakila_there.* TO %s@'%%'", (MASTER["username"],))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setenv("MEDALLION_MYSQL_PASSWORD", MASTER["password"])
    url = f"mysql://{MASTER['username']}@127.0.0.1:{server.port}/sakila_there"
    found = initialised(capsys, str(tmp_path / "s"), "--from-mysql", url, "--name", "sakila")
    made, by_hand = load_pipeline(Assets.find(tmp_path / "s")), load_pipeline(Assets.find(SAKILA))
    assert [(t.name, t.key, t.columns) for t in made.tables] == [
        (t.name, t.key, t.columns) for t in by_hand.tables
    ]
    assert not [note for note in found["review"] if "left out" in note]
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("DROP DATABASE sakila_there")


def test_a_wrong_password_and_a_server_that_is_not_there_are_told(
    odd: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MYSQL_PWD", "wrong")
    for url, word in ((odd, "Access denied"), ("mysql://root@127.0.0.1:1/x", "127.0.0.1:1")):
        with pytest.raises(SystemExit) as ended:
            main(["init", str(tmp_path / "no"), "--from-mysql", url])
        assert ended.value.code == 1
        said = capsys.readouterr().err
        assert word in said
        assert "wrong" not in said
    assert not (tmp_path / "no").exists()
