"""Findings of `medallion verify`; part of the catalogue."""

from __future__ import annotations

from medallion_cli.operations.doctor.rules import Rule

VERIFIED = (
    Rule(
        "MED-VER-001",
        "a change of the source is in no file of bronze",
        "Silver and gold hold the row as it was before, or not at all.",
        "medallion replicate reload --yes && medallion run",
        note="A file was deleted, or the change was made without the binlog. The reload reads every row again.",
    ),
    Rule(
        "MED-VER-002",
        "silver does not hold what bronze holds",
        "Silver was changed by something else than the pipeline; gold follows it.",
        "medallion replicate reload --yes && medallion run",
    ),
    Rule(
        "MED-VER-003",
        "gold does not hold what silver says",
        "Gold was changed by something else than a merge.",
        "medallion run --layer gold --full",
    ),
    Rule(
        "MED-VER-004",
        "changes wait to be merged",
        "The layer is as old as its last run; nothing in it is wrong.",
        "medallion run",
        severity="warning",
    ),
    Rule(
        "MED-VER-005",
        "changes are staged and wait for the merge",
        "Gold is as old as its last merge; nothing in it is wrong.",
        "medallion merge",
        severity="warning",
    ),
    Rule(
        "MED-VER-006",
        "changes wait at the source",
        "Nothing brings them to bronze: replication does not run.",
        "medallion replicate start && medallion run",
    ),
    Rule(
        "MED-VER-007",
        "a rule drops a row",
        "It counts in no number of gold.",
        "medallion run --table {table}",
        severity="warning",
        note="Mend the row at the source, or the rule in configs/pipeline.yaml (then `medallion up`), and run again.",
    ),
)
