"""Findings of schema drift; part of the catalogue."""

from __future__ import annotations

from medallion_cli.operations.doctor.rules import Rule

# The reload brings what rows hold that did not change since: a new column's default, a renamed column's values.
UPDATE = (
    "medallion table update {table} && medallion up --yes && "
    "medallion replicate reload --table {table} --yes && medallion run"
)

DRIFT = (
    Rule(
        "MED-SRC-005",
        "the source's schema is not the one in the project",
        "A new column reaches silver at most, one that is gone is NULL in new rows, values that do not fit set rows aside.",
        UPDATE,
        severity="warning",
        note="Takes the source's columns into the project's DDL, then everything that rows hold in them. DMS may keep "
        "to the columns that it knew: should the reload end with `Table error`, or leave them empty, "
        "`medallion replicate reload --yes` reads all.",
    ),
    Rule(
        "MED-SRC-006",
        "a table is gone at the source",
        "Silver and gold keep its rows as they were last: a DROP TABLE or RENAME TABLE is no delete.",
        "medallion up --only lambda --yes && medallion replicate reload --yes && medallion run",
        note="`up` makes the table again, empty. To give it up, take it and its models out of configs/pipeline.yaml before.",
    ),
    Rule(
        "MED-SRC-007",
        "a table was emptied at the source by a statement that is no delete",
        "Silver and gold keep its rows: TRUNCATE TABLE deletes no row in the binary log.",
        "medallion replicate reload --table {table} --yes && medallion run",
        note="The reload is a snapshot: a key that it does not hold is deleted.",
    ),
    Rule(
        "MED-SIL-010",
        "a table's columns have changed, and its policy is to fail",
        "Silver keeps the table as it was before; other tables go on.",
        UPDATE,
        note="Or set schema_drift to evolve or ignore, then `medallion up` and `medallion run`. "
        "A key that has changed fails under each.",
    ),
    Rule(
        "MED-SIL-011",
        "values do not fit the type of their column",
        "Their rows are set aside: they count in no number of gold. Nothing is cut or rounded.",
        UPDATE,
        severity="warning",
        note="The column has another type at the source than in the project's DDL.",
    ),
    Rule(
        "MED-SIL-012",
        "a number does not fit its column in gold",
        "The model keeps its last state; a cast would have changed the number.",
        UPDATE,
        note="A model's own column is widened in sql/redshift/tables, then `medallion up` and `medallion run`.",
    ),
)
