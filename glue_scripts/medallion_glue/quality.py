"""What expectations keep out of silver: by rule how many rows broke it in this run, how many do now, and some of them.

A key is counted by its newest version in `<t>_changes`, so each key that the source has and silver has not is in
`in_quarantine` or in `dropped` (or in a file that is set aside). What was counted last stands in a property of the table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medallion_glue.document import Table
from medallion_glue.newest import VERDICT, newest_rows
from medallion_glue.relations import AGAIN

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from medallion_glue.lakehouse import Lakehouse

NOTED = "medallion.quality"
SAMPLE = 5  # rows a rule
MASK = "***"
Counts = dict[str, Any]


def told(
    house: Lakehouse, table: Table, head: int | None, properties: Mapping[str, str], at_risk: bool = True
) -> Counts:
    """in_quarantine, dropped and expectations of the table's entry in the step file; `<t>_changes` is at `head`.

    `at_risk`: values may not have fitted their columns; without that and without a rule nothing is looked at.
    """
    noted = json.loads(properties.get(NOTED) or "{}")
    if head is None or not (table.expectations or at_risk or noted.get("expectations")):
        return {}
    state = f"{head} {json.dumps([[e.name, e.expression, e.on_fail] for e in table.expectations])}"
    if noted.get("state") == state:
        return _of_before(noted)
    known = noted.get("head")
    since = known if known and house.only_grew(table.changes, known) else None
    fresh = broken(house.appended(table.changes, since, head)) if since != head else {}
    stood = since is not None and any(rule["rows"] for rule in noted["expectations"])
    found = counted(house, table, _base(house, table), fresh) if fresh or stood else _none(table)
    house.set_properties(table.changes, {NOTED: json.dumps({"state": state, "head": head, **found})})
    return _typed(found)


def _base(house: Lakehouse, table: Table) -> str:
    from medallion_glue.silver import GENERATION

    return house.property(table.name, GENERATION) or ""


def _of_before(noted: Counts) -> Counts:
    """The same again, with nothing new."""
    rules = [rule | {"new": 0} for rule in noted["expectations"]]
    return _typed(noted | {"expectations": rules})


def _typed(found: Counts) -> Counts:
    return {
        "in_quarantine": found["in_quarantine"],
        "dropped": found["dropped"],
        "expectations": tuple(found["expectations"]),
    }


def broken(new: DataFrame) -> dict[str, int]:
    """Of new rows of `<t>_changes`: by rule how many break it."""
    marks = new.where("size(`_failed`) > 0 AND `_op` <> 'D'").selectExpr("explode(`_failed`) AS m")
    return {row[0]: row[1] for row in marks.groupBy("m").count().collect()}


def _none(table: Table) -> Counts:
    """Nothing is broken."""
    rules = [_rule(e.name, (e.kind, e.on_fail), 0, None) for e in table.expectations]
    return {"in_quarantine": 0, "dropped": 0, "expectations": rules}


def counted(house: Lakehouse, table: Table, base: str, fresh: dict[str, int]) -> Counts:
    """Looks at the newest versions that break a rule; `fresh` are this run's, by rule."""
    held = breaking(house, table, base).persist()
    try:
        samples = _samples(held, table)
        kinds = {e.name: (e.kind, e.on_fail) for e in table.expectations}
        harmless = [name for name, (_, on_fail) in kinds.items() if on_fail in ("warn", "drop")]
        listed = ", ".join(f"'{name}'" for name in harmless)
        apart = f"size(array_except(`_failed`, CAST(array({listed}) AS array<string>))) > 0"
        kept, dropped = held.selectExpr(
            f"count_if(NOT `_valid` AND {apart})", f"count_if(NOT `_valid` AND NOT ({apart}))"
        ).first()
    finally:
        held.unpersist()
    names = [*kinds, *sorted((samples.keys() | fresh.keys()) - kinds.keys())]
    return {
        "in_quarantine": kept,
        "dropped": dropped,
        "expectations": [
            _rule(name, kinds.get(name, ("type", "quarantine")), fresh.get(name, 0), samples.get(name))
            for name in names
        ],
    }


def _rule(name: str, kind: tuple[str, str], new: int, found: tuple[int, list[Any]] | None) -> Counts:
    rows, sample = found or (0, [])
    return {"rule": name, "kind": kind[0], "action": kind[1], "new": new, "rows": rows, "sample": sample}


def breaking(house: Lakehouse, table: Table, base: str) -> DataFrame:
    """Newest versions that break a rule, as whole rows of `<t>_changes`."""
    changes = house.at(table.changes, None).where(f"`_generation` >= '{base}'")
    bad = changes.where("size(`_failed`) > 0").select(*table.key).distinct()
    history = changes.join(bad, list(table.key), "left_semi")
    return newest_rows(history, table).where("size(`_failed`) > 0 AND `_op` <> 'D'")


def origin() -> list[str]:
    """SQL: the bronze file and row that a row of `<t>_changes` came from, judged once more or not."""
    return [
        f"replace(`_bronze_file`, '{VERDICT}', '') AS `file`",
        f"`_bronze_row` % {AGAIN} AS `row`",
    ]


def _samples(held: DataFrame, table: Table) -> dict[str, tuple[int, list[Any]]]:
    """By rule: how many rows break it, and the first of them by key, bronze file and row."""
    keys = [f"`{key}`" for key in table.key]
    texts = {c.name: MASK if c.name in table.personal else c.canonical for c in table.columns}
    shown = [f"'{MASK}'" if texts[key] == MASK else texts[key] for key in table.key]
    each = held.selectExpr("explode(`_failed`) AS m", *keys, *origin())
    ranked = each.selectExpr(
        "m",
        f"array({', '.join(shown)}) AS k",
        "file",
        "row",
        f"row_number() OVER (PARTITION BY m ORDER BY {', '.join(keys)}) AS n",
        "count(*) OVER (PARTITION BY m) AS total",
    )
    found: dict[str, tuple[int, list[Any]]] = {}
    for row in ranked.where(f"n <= {SAMPLE}").orderBy("m", "n").collect():
        entry = {
            "key": dict(zip(table.key, row["k"], strict=True)),
            "file": row["file"],
            "row": row["row"],
        }
        found.setdefault(row["m"], (row["total"], []))[1].append(entry)
    return found
