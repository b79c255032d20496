"""Quarantine under a whole pipeline: listed, shown, in the warehouse; mended by source, rule and file, gold is equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import Medallion

pytestmark = [pytest.mark.engine, pytest.mark.recovery]


@pytest.fixture(scope="module")
def shop(home: Path) -> Medallion:
    """A project of a table of makers and one of parts that refers to it."""
    project = home / "projects" / "strict"
    tool = Medallion(home, "strict-local")
    tool("init", str(project), "--empty", "--name", "strict")
    tool.project = project
    tool("table", "add", "makers", "--column", "name VARCHAR(20) NOT NULL")
    columns = ("name VARCHAR(20) NOT NULL", "n INT NOT NULL", "maker INT NOT NULL")
    tool("table", "add", "parts", *[word for column in columns for word in ("--column", column)])
    ruled(tool, 10)
    tool("up", "--yes")
    change(tool, "INSERT INTO makers (name) VALUES ('one')")
    change(
        tool, "INSERT INTO parts (name, n, maker) VALUES ('a', 1, 1), ('b', 20, 1), ('c', 3, 2), ('z', -1, 1)"
    )
    tool("run")
    return tool


def ruled(tool: Medallion, most: int) -> None:
    """Rules of `parts`; `n` may be `most`."""
    assert tool.project is not None
    path = tool.project / "configs" / "pipeline.yaml"
    document = yaml.safe_load(path.read_text())
    maker = f"makers.{key(tool, 'makers')}"
    document["tables"]["parts"] = {
        **(document["tables"]["parts"] or {}),
        "expectations": {
            "few": {"between": {"n": [0, most]}, "on_fail": "quarantine"},
            "made": {"references": {"maker": maker}, "on_fail": "quarantine"},
        },
    }
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def key(tool: Medallion, table: str) -> str:
    """The key's column, as `table add` named it."""
    from medallion_cli.assets import Assets
    from medallion_cli.ddl import parse_tables

    assert tool.project is not None
    assets = Assets.find(tool.project)
    entry = yaml.safe_load((tool.project / "configs" / "pipeline.yaml").read_text())
    ddl = entry["source"]["ddl"]
    return parse_tables(assets.read(ddl), "mysql", ddl)[table].key[0]


def change(tool: Medallion, statement: str) -> None:
    with tool.source("strict") as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        connection.commit()


def names(tool: Medallion) -> list[Any]:
    return [row["name"] for row in tool.query("SELECT name FROM gold.parts ORDER BY name")]


def kept(tool: Medallion) -> dict[str, int]:
    return {rule["rule"]: rule["rows"] for rule in tool.json("quarantine", "list")["rules"]}


def test_rows_are_kept_out_listed_shown_and_told_to_the_warehouse(shop: Medallion) -> None:
    assert (names(shop), kept(shop)) == (["a"], {"few": 2, "made": 1})
    found = shop.json("quarantine", "show", "parts")
    assert [(row["name"], row["rules"]) for row in found] == [("b", "few"), ("c", "made"), ("z", "few")]
    told = shop.query("SELECT rule, action, rows, sample FROM etl.quality ORDER BY rule")
    assert [(row["rule"], row["rows"]) for row in told] == [("few", 2), ("made", 1)]
    status = shop.json("status")
    assert [(one["table"], one["rows"]) for one in status["quarantine"]] == [("parts", 3)]
    assert "MED-SIL-003" in {one["code"] for one in status["findings"]}


def test_what_is_mended_comes_back_and_all_is_equal(shop: Medallion) -> None:
    change(shop, "INSERT INTO makers (name) VALUES ('two')")  # at the source: the parent of c
    change(shop, "UPDATE parts SET n = 9 WHERE name = 'z'")  # at the source: the row itself
    shop("run")
    assert (names(shop), kept(shop)) == (["a", "c", "z"], {"few": 1})
    ruled(shop, 100)
    shop("up", "--yes")
    result = shop.json("quarantine", "replay", "parts")
    assert result["status"] == "SUCCEEDED"
    assert (names(shop), kept(shop)) == (["a", "b", "c", "z"], {})
    shop.verified()


def test_a_file_that_is_cut_is_named_and_taken_once_it_is_whole(shop: Medallion) -> None:
    there = set(shop.objects("bronze").rglob("*.parquet"))
    shop("replicate", "stop")
    change(shop, "INSERT INTO parts (name, n, maker) VALUES ('d', 4, 1)")
    shop("run", "--layer", "bronze")
    (file,) = [p for p in set(shop.objects("bronze").rglob("*.parquet")) - there if "/parts/" in str(p)]
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    shop("run")
    (bad,) = shop.json("quarantine", "list")["files"]
    assert (bad["table"], bad["reason"]) == ("parts", "truncated")
    assert names(shop) == ["a", "b", "c", "z"]
    file.write_bytes(whole)
    shop("run")
    assert (names(shop), shop.json("quarantine", "list")["files"]) == (["a", "b", "c", "d", "z"], [])
    shop.verified()
    shop("down", "--yes")
