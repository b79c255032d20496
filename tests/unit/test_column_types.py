"""Which types of silver hold which values, and which columns a table follows, by its policy."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "glue_scripts"))

from medallion_glue.column_types import holds, length, widened
from medallion_glue.document import Column, Table
from medallion_glue.evolution import Drift, Found, compared

TABLE = Table(
    "parts",
    "shop",
    ("id",),
    (
        Column("id", "int", "", (), "int"),
        Column("n", "int", "", (), "mediumint unsigned"),
        Column("price", "decimal(10,2)", "", (), "decimal(10,2)"),
    ),
    (),
)


@pytest.mark.parametrize(
    ("target", "kind", "does"),
    [
        ("bigint", "int", True),
        ("int", "bigint", False),
        ("string", "bigint", True),
        ("int", "string", False),
        ("decimal(12,2)", "decimal(10,2)", True),
        ("decimal(12,4)", "decimal(10,2)", True),
        ("decimal(10,4)", "decimal(10,2)", False),
        ("decimal(10,2)", "int", False),
        ("decimal(20,0)", "bigint", True),
        ("double", "bigint", False),
        ("timestamp", "bigint", False),
        ("date", "timestamp", False),
        ("boolean", "int", False),
        ("boolean", "string", False),
        ("int", "boolean", True),
    ],
)
def test_a_type_holds_another_only_without_loss(target: str, kind: str, does: bool) -> None:
    assert holds(target, kind) is does


def test_only_chars_have_a_length() -> None:
    kinds = ("varchar(80)", "char(3)", "char", "text", "enum('a','b')", "varbinary(9)", "int")
    assert [length(kind) for kind in kinds] == [80, 3, 1, None, None, None, None]


def test_only_what_iceberg_promotes_is_widened() -> None:
    pairs = [("int", "bigint"), ("decimal(10,2)", "decimal(12,2)"), ("float", "double")]
    assert all(widened(*pair) for pair in pairs)
    assert not any(widened(wide, narrow) for narrow, wide in pairs)
    assert not widened("decimal(10,2)", "decimal(12,3)")
    assert not widened("int", "double")


def found(**kinds: list[str]) -> Found:
    return {name.lower(): (name, types) for name, types in kinds.items()}


def test_names_are_compared_without_case_and_a_mediumint_is_as_wide_as_bronze_has_it() -> None:
    assert list(compared(TABLE, found(ID=["int"], N=["bigint"], price=["decimal(10,2)"]), None)) == []


def test_a_number_is_what_a_bool_is_in_bronze_but_no_single_bit() -> None:
    named = {"a": "boolean", "b": "bit(8)", "c": "bit(1)", "d": "bit", "e": "bit"}
    columns = tuple(Column(name, "boolean", "", (), mysql) for name, mysql in named.items())
    there = found(a=["int"], b=["decimal(20,0)"], c=["int"], d=["boolean"], e=["string"])
    told = [(drift.column, drift.change) for drift in compared(replace(TABLE, columns=columns), there, None)]
    assert told == [("c", "retyped"), ("e", "retyped")]


def test_a_column_that_was_never_there_is_not_dropped() -> None:
    there = found(id=["int"], n=["int"])
    assert list(compared(TABLE, there, ["id", "n"])) == []
    assert list(compared(TABLE, there, ["id", "n", "price"])) == [Drift("price", "dropped", "decimal(10,2)")]


def test_types_of_several_files_are_taken_together() -> None:
    there = found(id=["int", "bigint"], n=["int"], price=["decimal(10,2)", "string"], more=["int", "bigint"])
    assert list(compared(TABLE, there, None)) == [
        Drift("id", "widened", "int", "bigint"),
        Drift("price", "retyped", "decimal(10,2)", "string"),
        Drift("more", "added", None, "bigint"),
    ]
