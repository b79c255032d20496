"""A replication task's definition: table mappings, task settings and S3 settings, read once at its start.

Rules that are not understood are refused: a mapping that DMS would act on must not be silently ignored here.
"""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion_cli.local.replication.faults import Unsupported
from medallion_cli.local.replication.source import Source

CHANGE_SEQUENCE = "$AR_H_CHANGE_SEQ"


@dataclass(frozen=True)
class Rule:
    """A selection or transformation rule: what it applies to and what it does."""

    schema: str
    table: str
    action: str
    value: str = ""
    key_only: bool = True

    def matches(self, schema: str, table: str) -> bool:
        """Whether the object locator covers a table (`%` is any text)."""
        return _like(self.schema, schema) and _like(self.table, table)


@dataclass(frozen=True)
class Task:
    """Everything the replicator needs to know; `home` holds its checkpoint and staged files."""

    home: Path
    source: Source
    target: Path
    folder: str
    migration: str
    started_at: int
    selections: tuple[Rule, ...]
    sequences: tuple[Rule, ...]
    befores: tuple[Rule, ...]
    timestamp_column: str
    partitioned: bool
    interval: float
    batch_bytes: int
    handles_truncate: bool
    start_position: str
    milliseconds: bool = False  # moments are cut to milliseconds

    @property
    def before_prefix(self) -> str:
        """The prefix of before-image columns."""
        return self.befores[0].value if self.befores else "BI_"

    @property
    def before_key_only(self) -> bool:
        """Whether only key columns have a before-image."""
        return all(rule.key_only for rule in self.befores)

    def selects(self, schema: str, table: str) -> bool:
        """Whether the selection rules take a table: `explicit` first, then exclusion before inclusion."""
        rules = [rule for rule in self.selections if rule.matches(schema, table)]
        explicit = [
            rule for rule in rules if "%" not in rule.schema + rule.table and rule.action == "explicit"
        ]
        return bool(explicit) or (bool(rules) and all(rule.action != "exclude" for rule in rules))

    def has_before(self, schema: str, table: str) -> bool:
        """Whether a table gets before-image columns."""
        return any(rule.matches(schema, table) for rule in self.befores)

    def sequence_columns(self, schema: str, table: str) -> list[str]:
        """Names of the columns that carry the change sequence."""
        return [rule.value for rule in self.sequences if rule.matches(schema, table)]


def read_task(home: Path) -> Task:
    """Reads `task.json` and the credentials beside it (0600), which the service writes."""
    document = json.loads((home / "task.json").read_text())
    secret = json.loads((home / "source.json").read_text())
    selections, sequences, befores = mappings(document["mappings"])
    s3, settings = document["s3"], document["settings"]
    ddl = settings.get("ChangeProcessingDdlHandlingPolicy", {})
    return Task(
        home=home,
        source=Source(secret["host"], int(secret["port"]), secret["username"], secret["password"]),
        target=Path(document["target"]),
        folder=s3.get("BucketFolder", ""),
        migration=document["migration"],
        started_at=document["started_at"],
        selections=selections,
        sequences=sequences,
        befores=befores,
        timestamp_column=s3.get("TimestampColumnName", ""),
        partitioned=bool(s3.get("DatePartitionEnabled")),
        interval=float(s3.get("CdcMaxBatchInterval", 60)),
        batch_bytes=int(s3.get("CdcMinFileSize", 32_000)) * 1000,
        handles_truncate=bool(ddl.get("HandleSourceTableTruncated", True)),
        start_position=document.get("start_position", ""),
        milliseconds=bool(s3.get("ParquetTimestampInMillisecond")),
    )


def mappings(text: str) -> tuple[tuple[Rule, ...], tuple[Rule, ...], tuple[Rule, ...]]:
    """(selections, change-sequence columns, before-images) of a TableMappings document.

    Unsupported names the rule.
    """
    selections, sequences, befores = [], [], []
    for rule in json.loads(text).get("rules", []):
        locator = rule.get("object-locator", {})
        schema, table = locator.get("schema-name", "%"), locator.get("table-name", "%")
        where = f"table mapping rule {rule.get('rule-id', '?')}"
        match (rule.get("rule-type"), rule.get("rule-action")):
            case ("selection", "include" | "exclude" | "explicit" as action) if (
                "filters" not in rule or not rule["filters"]
            ):
                selections.append(Rule(schema, table, action))
            case ("transformation", "add-column") if rule.get("expression") == CHANGE_SEQUENCE:
                sequences.append(Rule(schema, table, "add-column", rule["value"]))
            case ("transformation", "add-before-image-columns"):
                befores.append(_before(rule, schema, table, where))
            case (kind, action):
                raise Unsupported(f"{where}: {kind} {action} is not supported locally")
    if not any(rule.action != "exclude" for rule in selections):
        raise Unsupported("the table mappings select nothing")
    return tuple(selections), tuple(sequences), tuple(befores)


def _before(rule: dict[str, Any], schema: str, table: str, where: str) -> Rule:
    definition = rule.get("before-image-def", {})
    chosen = definition.get("column-filter", "pk-only")
    if chosen not in ("pk-only", "all") or definition.get("column-suffix"):
        raise Unsupported(f"{where}: before-image columns are pk-only or all, with a prefix")
    return Rule(schema, table, "before", definition.get("column-prefix", "BI_"), chosen == "pk-only")


def _like(pattern: str, text: str) -> bool:
    return pattern == text or fnmatch.fnmatchcase(text, pattern.replace("[", "[[]").replace("%", "*"))
