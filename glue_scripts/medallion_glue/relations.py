"""`unique` and `references`: rules over more than one row, judged over the newest version of every key.

They are judged in every run in which the table, or one that it refers to, has changed. A newest version whose judgement is
another than before is appended once more at its own position, as `verdict:<file>`: it counts before the row itself, and
gold follows it like any change. So the order in which tables and files arrive does not matter. Versions that a newer one
has replaced are not judged. Of rows that share what should be unique, the one with the smallest key counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from medallion_glue.document import Expectation, Table
from medallion_glue.evolution import UNFIT
from medallion_glue.newest import VERDICT, newest_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from medallion_glue.lakehouse import Lakehouse

JUDGED = "medallion.judged"
LOADED = "medallion.loaded"  # of `<t>`: its full load was taken and held no row
AGAIN = 1 << 32  # added to `_bronze_row` by each verdict on a row, so that the last one counts


def rules(table: Table, *on_fail: str) -> list[Expectation]:
    """The table's rules over more than one row (those with one of these consequences)."""
    return [e for e in table.expectations if e.over_rows and (not on_fail or e.on_fail in on_fail)]


def waves(tables: Sequence[Table]) -> list[list[Table]]:
    """The tables in groups: one that others refer to comes in an earlier group."""
    left = {table.name: table for table in tables}
    found: list[list[Table]] = []
    while left:
        free = [t for t in left.values() if not any(r.of in left and r.of != t.name for r in rules(t))]
        found.append(free or list(left.values()))
        for table in found[-1]:
            del left[table.name]
    return found


def verdicts(house: Lakehouse, table: Table, base: str) -> DataFrame | None:
    """The rows to append, since they are judged differently than before; None when nothing has changed."""
    from pyspark.sql import functions as f

    state = _state(house, table)
    if state is None or house.property(table.changes, JUDGED) == state:
        return None
    changes = house.at(table.changes, None).where(f"`_generation` >= '{base}'")
    rows, keys = candidates(changes, table), list(table.key)
    broken = breaches(changes, house, table, rules(table))
    if broken is None:
        joined = rows.selectExpr("*", "CAST(array() AS array<string>) AS `_now`")
    else:
        marks = broken.groupBy(*keys).agg(f.array_sort(f.collect_set("_mark")).alias("_marks"))
        joined = rows.join(marks, keys, "left").selectExpr("*", "coalesce(`_marks`, array()) AS `_now`")
    before = f"array_sort(filter(`_failed`, m -> NOT ({_others(table)})))"
    return _restated(joined.where(f"NOT (`_now` <=> {before}) OR `_valid` <> ({_met(table)})"), table)


def note(house: Lakehouse, table: Table) -> None:
    """Notes that what is there now has been judged."""
    state = _state(house, table)
    if state is not None:
        house.set_properties(table.changes, {JUDGED: state})


def _state(house: Lakehouse, table: Table) -> str | None:
    """What a judgement depends on, as JSON; None for a table without such rules, or with nothing in it."""
    own = rules(table)
    if house.head(table.name) is None:
        return None
    said = [[r.name, r.kind, r.on_fail, list(r.columns), r.of, list(r.others)] for r in own]
    heads = {of: house.head(of) for of in sorted({r.of for r in own if r.of}) if is_known(house, of)}
    return json.dumps({"rules": said, "own": house.head(table.changes), "of": heads}, sort_keys=True)


def is_known(house: Lakehouse, parent: str) -> bool:
    """Whether a table's full load was taken, with rows or without: before that, who is missing in it says nothing."""
    return house.exists(parent) and (
        house.head(parent) is not None or house.property(parent, LOADED) is not None
    )


def candidates(changes: DataFrame, table: Table) -> DataFrame:
    """Newest versions that are rows and meet every blocking rule over one row: whole rows of `<t>_changes`."""
    blocking = [e.name for e in table.expectations if not e.over_rows and e.on_fail != "warn"]
    listed = ", ".join(f"'{name}'" for name in blocking)
    bad = f"startswith(m, '{UNFIT}')" + (f" OR m IN ({listed})" if blocking else "")
    return newest_rows(changes, table).where(f"`_op` <> 'D' AND NOT exists(`_failed`, m -> {bad})")


def _others(table: Table) -> str:
    """SQL over a mark `m`: whether it is of a rule over one row, or of a value that does not fit."""
    names = ", ".join(f"'{e.name}'" for e in table.expectations if not e.over_rows)
    return f"startswith(m, '{UNFIT}')" + (f" OR m IN ({names})" if names else "")


def breaches(
    changes: DataFrame, house: Lakehouse, table: Table, wanted: Iterable[Expectation]
) -> DataFrame | None:
    """Keys whose newest version breaks rules, with the rule's name in `_mark`; None without a rule to look at."""
    rows = candidates(changes, table)
    parts = [part for rule in wanted for part in _breach(rows, house, table, rule)]
    return reduce(lambda one, other: one.unionByName(other), parts) if parts else None


def _breach(rows: DataFrame, house: Lakehouse, table: Table, rule: Expectation) -> Iterator[DataFrame]:
    keys = [f"`{key}`" for key in table.key]
    given = rows.where(" AND ".join(f"`{column}` IS NOT NULL" for column in rule.columns))
    if rule.kind == "unique":
        same = ", ".join(f"`{column}`" for column in rule.columns)
        ranked = given.selectExpr(
            *keys, f"row_number() OVER (PARTITION BY {same} ORDER BY {', '.join(keys)}) AS `_number`"
        )
        yield ranked.where("`_number` > 1").selectExpr(*keys, f"'{rule.name}' AS `_mark`")
    elif rule.of == table.name:
        yield _orphans(given, rows, table, rule)
    elif is_known(house, rule.of):
        yield _orphans(given, house.at(rule.of, None).where("NOT `_is_deleted`"), table, rule)


def _orphans(given: DataFrame, parents: DataFrame, table: Table, rule: Expectation) -> DataFrame:
    from pyspark.sql import functions as f

    names = [f"`{theirs}` AS `_of_{number}`" for number, theirs in enumerate(rule.others)]
    held = parents.selectExpr(*names).distinct()
    on = " AND ".join(f"`{ours}` = `_of_{number}`" for number, ours in enumerate(rule.columns))
    return given.join(held, f.expr(on), "left_anti").selectExpr(
        *[f"`{key}`" for key in table.key], f"'{rule.name}' AS `_mark`"
    )


def _restated(judged: DataFrame, table: Table) -> DataFrame:
    """Rows of `<t>_changes` that say the same at the same position, with another judgement."""
    from medallion_glue.bronze import change_columns

    facts: Mapping[str, str] = {
        "_bronze_file": f"concat('{VERDICT}', replace(`_bronze_file`, '{VERDICT}', ''))",
        "_bronze_row": f"`_bronze_row` + {AGAIN}",
        "_failed": f"concat(filter(`_failed`, m -> {_others(table)}), `_now`)",
        "_valid": _met(table),
    }
    return judged.selectExpr(
        *[f"{facts.get(name, f'`{name}`')} AS `{name}`" for name, _ in change_columns(table)]
    )


def _met(table: Table) -> str:
    """SQL over `_now`: whether no rule that keeps a row out is among the marks."""
    blocking = ", ".join(f"'{e.name}'" for e in rules(table, "drop", "quarantine", "fail"))
    return f"NOT arrays_overlap(`_now`, array({blocking}))" if blocking else "true"
