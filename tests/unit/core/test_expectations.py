"""Expectations as they are written in pipeline.yaml: what they become, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from medallion_cli.expectations import Expectation, expectation, faults, in_circles
from medallion_cli.spec_file import ExpectationEntry


def of(**entry: Any) -> Expectation:
    return expectation("r", ExpectationEntry.model_validate(entry))


@pytest.mark.parametrize(
    ("entry", "condition"),
    [
        ({"expression": "a > 1"}, "a > 1"),
        ({"not_null": "a"}, "`a` IS NOT NULL"),
        ({"not_null": ["a", "b"]}, "(`a` IS NOT NULL) AND (`b` IS NOT NULL)"),
        ({"matches": {"a": r"^\d+'$"}}, r"`a` RLIKE '^\\d+\'$'"),
        ({"between": {"a": [0, 1.5]}}, "(`a` >= 0) AND (`a` <= 1.5)"),
        ({"between": {"a": [None, date(2026, 1, 2)]}}, "`a` <= DATE '2026-01-02'"),
        ({"in": {"a": ["x", 1, True]}}, "`a` IN ('x', 1, true)"),
        ({"unique": ["a", "b"]}, "true"),
    ],
)
def test_a_rule_over_one_row_is_a_condition(entry: dict[str, Any], condition: str) -> None:
    assert of(**entry).expression == condition


def test_conditions_are_sql_that_spark_reads() -> None:
    import sqlglot

    for entry in ({"matches": {"a": "it's \\w"}}, {"in": {"a": ["o'x"]}}, {"between": {"a": ["a", "b"]}}):
        assert sqlglot.parse_one(f"SELECT {of(**entry).expression} FROM t", read="spark")


def test_references_name_a_table_and_its_columns() -> None:
    rule = of(references={"a": "parents.x", "b": "parents.y"}, on_fail="quarantine")
    assert (rule.of, rule.columns, rule.others) == ("parents", ("a", "b"), ("x", "y"))


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({}, "an expectation is one of"),
        ({"not_null": "a", "unique": "a"}, "here are not_null, unique"),
        ({"matches": {"a": "("}}, "is no pattern"),
        ({"between": {"a": [None, None]}}, "needs a lower or an upper end"),
        ({"references": {"a": "parents"}}, "table.column"),
        ({"references": {"a": "p.x", "b": "q.y"}}, "of one table"),
        ({"in": {"a": []}}, "at least 1"),
        ({"not_null": "a", "on_fail": "explode"}, "'warn', 'drop', 'quarantine' or 'fail'"),
    ],
)
def test_what_is_no_rule_is_refused_with_words(entry: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match="validation error") as refused:
        of(**entry)
    assert told in str(refused.value)


def test_names_have_to_be_there_and_references_lead_nowhere_back() -> None:
    child = of(references={"p": "parents.x"})
    tables = {"parents": ({"x": 1}, ()), "children": ({"p": 1}, (child, of(not_null="q")))}
    assert list(faults(tables)) == ["tables.children.expectations.r: children has no column q (has p)"]
    assert "no table parents" in next(iter(faults({"children": ({"p": 1}, (child,))})))
    back = of(references={"x": "children.p"})
    assert in_circles({"parents": (back,), "children": (child,)}) == "children"
    assert in_circles({"children": (of(references={"p": "children.p"}),)}) is None


def test_names_of_the_silver_job_are_refused() -> None:
    (told,) = faults({"parts": ({"n": 1}, (expectation("type_of_n", ExpectationEntry(not_null="n")),))})
    assert told.startswith("tables.parts.expectations.type_of_n: names that begin with type_of_ are")
