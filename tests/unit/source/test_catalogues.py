"""`init --from-mysql` on a catalogue of its own: names and texts that YAML would take for something else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from medallion_cli.assets import PIPELINE, Assets
from medallion_cli.operations.scaffold import existing
from medallion_cli.operations.scaffold.existing import Address, Catalogue, Column, Existing, Reference
from medallion_cli.operations.scaffold.project import LOCAL, from_database, write
from medallion_cli.operations.validate import validate_specification
from medallion_cli.spec import Pipeline, load_pipeline


def _column(name: str, kind: str = "int", default: str | None = None) -> Column:
    return Column(name, kind, True, default, None, None, "", None)


def _table(name: str, *columns: Column, key: str = "id", references: tuple[Reference, ...] = ()) -> Existing:
    every = (Column(key, "int", False, None, None, None, "", None), *columns)
    return Existing(name, "InnoDB", 3, 4096, every, {"PRIMARY": (key,)}, frozenset(), references)


def _made(folder: Path, database: str, *tables: Existing) -> Pipeline:
    """The project of a database, which has to be a valid one."""
    found = Catalogue(database, "MySQL 8.4.8", "UTC", tables, ())
    write(from_database(folder, Address("me", "db", 3306, database), found), folder)
    assert validate_specification(Assets.find(folder)) == []
    return load_pipeline(Assets.find(folder))


@pytest.mark.parametrize(
    ("database", "schema"),
    [
        ("shop", "shop"),
        ("my-shop", "my_shop"),
        ("my.shop", "my_shop"),
        ("2024", "s_2024"),
        ("yes", "yes"),
        ("a#b: c", "a_b_c"),
        ("läden", "l_den"),
        ("_x", "_x"),
        ("日本", "s"),
    ],
)
def test_any_database_makes_a_project(tmp_path: Path, database: str, schema: str) -> None:
    assert _made(tmp_path, database, _table("items")).schema == schema
    url = yaml.safe_load((tmp_path / LOCAL).read_text(encoding="utf-8"))["copy_from"]
    assert existing.parse_url(url) == Address("me", "db", 3306, database)


@pytest.mark.parametrize("word", ["no", "yes", "on", "null", "y"])
def test_a_table_and_columns_that_yaml_takes_for_something_else(tmp_path: Path, word: str) -> None:
    refers = _table("street", _column("street"), references=(Reference((word,), word, (word,)),))
    made = _made(tmp_path, "shop", _table(word, _column("fax"), key=word), refers)
    assert [table.name for table in made.tables] == [word, "street"]
    assert made.table(word).key == (word,)
    assert made.table("street").personal == ("street",)
    assert word in {model.name for model in made.models}


def test_a_text_of_several_lines_stays_in_its_comment(tmp_path: Path) -> None:
    several = _column("code", "varchar(20)", "(concat('a',\n'b: [c'))")
    out = _table("odd\nname: x", _column("a"))
    _made(tmp_path, "shop", _table("items", several), out)
    text = (tmp_path / PIPELINE).read_text(encoding="utf-8")
    assert "# review: code had the default (concat('a', 'b: [c')), which is left out" in text
    assert "# odd name: x   # review: left out" in text
