"""Trace: the life of one row, from the source now back through every change and on to gold and the dashboard."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import UsageError
from medallion_cli.events import Event, Finished, Started
from medallion_cli.operations.erase import parse_key
from medallion_cli.privacy import MASK, personal_columns

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.session import Target
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Model, Pipeline, Table

Document = dict[str, Any]
RUNS = 50  # newest runs whose step files are read
KEYS = 20  # of a model


@dataclass(frozen=True)
class Trace:
    """The documented JSON of `trace`."""

    table: str
    key: dict[str, str]
    source: Document | None
    changes: list[Document] = field(default_factory=list)
    waiting: list[Document] = field(default_factory=list)
    silver: Document | None = None
    gold: list[Document] = field(default_factory=list)
    aggregates: list[Document] = field(default_factory=list)
    dashboard: list[str] = field(default_factory=list)

    @property
    def found(self) -> bool:
        """Whether the key is, or was, anywhere."""
        in_gold = any(entry["rows"] for entry in self.gold)
        return bool(self.source or self.changes or self.waiting or self.silver or in_gold)

    @property
    def document(self) -> Document:
        """One JSON document."""
        return {**vars(self), "found": self.found}


@dataclass(frozen=True)
class Tracer:
    """What a trace asks, and what it may show."""

    target: Target
    outputs: dict[str, str]
    settings: Settings
    pipeline: Pipeline
    assets: Assets
    warehouse: Warehouse
    shows_personal: bool = False

    def trace(self, table: Table, key: Mapping[str, str]) -> Generator[Event, None, Trace]:
        """Asks the source, bronze and silver, then gold for what they say of a key."""
        yield Started("source")
        source = self._source(table, key)
        yield Finished("source", "" if source else "no such row now")
        yield Started("bronze and silver")
        lake = self._lake(table, key)
        runs = [*self._runs()] if lake["changes"] else []
        changes = [self._change(table, row, runs) for row in lake["changes"]]
        yield Finished("bronze and silver", f"{len(changes)} changes, {len(lake['waiting'])} waiting")
        yield Started("gold")
        gold = [*self._gold(lake["models"])]
        aggregates = [*self._aggregates(gold)]
        yield Finished("gold", f"{sum(len(entry['rows']) for entry in gold)} rows")
        row = lake["row"]
        return Trace(
            table=table.name,
            key=dict(key),
            source=source,
            changes=changes,
            waiting=[self._change(table, one, []) for one in lake["waiting"]],
            silver=row and self._state(table, row, lake.get("silver_snapshot")),
            gold=[{k: v for k, v in entry.items() if k != "_raw"} for entry in gold],
            aggregates=aggregates,
            dashboard=self._dashboard([*gold, *aggregates]),
        )

    def _source(self, table: Table, key: Mapping[str, str]) -> Document | None:
        from medallion_cli.aws.source import Source

        source = Source(self.target, self.outputs["SourceFunctionName"])
        row = source.call("row", table=table.name, key=dict(key))["row"]
        return row and self._shown(row, table.personal)

    def _lake(self, table: Table, key: Mapping[str, str]) -> Document:
        from medallion_cli.aws.replication import Replication
        from medallion_cli.operations.verification.sides import SparkSide

        generation = Replication(self.target, self.outputs).generation()
        request = {"table": table.name, "key": dict(key), "generation": generation}
        return SparkSide(self.target, self.outputs, self.settings).answer({"trace": request})

    def _state(self, table: Table, row: Document, snapshot: int | None) -> Document:
        return {
            "values": self._shown(row["values"], table.personal),
            "deleted": row["_is_deleted"],
            "position": position(row["_generation"], row["_seq"]),
            "snapshot": snapshot,
        }

    def _change(self, table: Table, row: Document, runs: Sequence[Document]) -> Document:
        """One change: what, where in the binlog, when, in which file, snapshot and run."""
        at = row.get("committed_at")
        return {
            "op": row["_op"],
            "position": position(row["_generation"], row["_seq"]),
            "committed_at_source": row["_commit_ts"],
            "bronze": {
                "file": row["_bronze_file"],
                "row": row["_bronze_row"],
                "there": row.get("in_bronze", True),
            },
            "values": self._shown(row["values"], table.personal),
            "broken_rules": row["_failed"] or [],
            "valid": row["_valid"],
            "judged_again": row.get("judged_again", False),  # by rules over several rows, in a later run
            "silver": at and {"snapshot": row["snapshot"], "committed_at": at},
            "run_id": at and _run_of(at, runs),
        }

    def _shown(self, values: Mapping[str, Any], personal: Sequence[str] | frozenset[str]) -> Document:
        hidden = () if self.shows_personal else personal
        return {n: MASK if n in hidden and v is not None else v for n, v in values.items()}

    def _runs(self) -> Iterator[Document]:
        """The silver steps of the newest runs: when each began and ended."""
        from medallion_cli.operations.run import newest_runs, read_step

        for run_id in newest_runs(self.target, self.outputs, RUNS):
            step = read_step(self.target, self.outputs, run_id, "bronze_to_silver")
            if step:
                yield {"run_id": run_id, "from": step["started_at"], "to": step["finished_at"]}

    def _gold(self, touched: Sequence[Document]) -> Iterator[Document]:
        """Rows of each model that the key touches, with the load that brought them."""
        staged = self._staged()
        for entry in _merged(touched):
            model = self.pipeline.model(entry["model"])
            rows = self._rows(model, model.key, entry["keys"])
            loads = self._loads(model, {str(row["_run_id"]) for row in rows})
            yield {
                "model": model.name,
                "kind": model.kind,
                "keys": [dict(zip(model.key, key, strict=True)) for key in entry["keys"]],
                "keys_total": entry["total"],
                "rows": [self._shown(row, personal_columns(self.pipeline)[model.name]) for row in rows],
                "loads": loads,
                "staged": self._staging(model, entry["keys"], staged.get(model.name)),
                "_raw": rows,
            }

    def _rows(
        self, model: Model, key: Sequence[str], keys: Sequence[Sequence[str]], schema: str = "gold"
    ) -> list[Document]:
        """Rows of a model by keys (texts), as they are."""
        if not keys:
            return []
        names = [column.name for column in model.checked]
        shown = [f'"{name}"' for name in names] + ["_run_id"] if schema == "gold" else ["_op"]
        condition, given = _any_of(model, key, keys)
        order = ", ".join(f'"{name}"' for name in (*key, *(["version"] if model.kind == "scd2" else [])))
        sql = f'SELECT {", ".join(shown)} FROM {schema}."{model.name}" WHERE {condition} ORDER BY {order}'
        return [dict(row) for row in self.warehouse.execute(sql, given).dicts()]

    def _loads(self, model: Model, runs: set[str]) -> list[Document]:
        """What `etl.load` says of the runs that brought a model's rows."""
        if not runs:
            return []
        given = {f"r{number}": run for number, run in enumerate(sorted(runs))}
        listed = ", ".join(f":{name}" for name in given)
        sql = (
            "SELECT run_id, from_position, to_position, is_full, staged_rows, merged_at FROM etl.load"
            f" WHERE model = :model AND run_id IN ({listed}) ORDER BY merged_at"
        )
        return self.warehouse.execute(sql, {"model": model.name, **given}).dicts()

    def _staged(self) -> dict[str, str]:
        rows = self.warehouse.execute("SELECT model, run_id FROM etl.staged").rows
        return {str(model): str(run) for model, run in rows}

    def _staging(self, model: Model, keys: Sequence[Sequence[str]], run: str | None) -> Document | None:
        """What staging holds of the keys: of the run that staged the model last."""
        if run is None or not keys:
            return None
        rows = self._rows(model, model.key, keys, "staging")
        return {"run_id": run, "ops": [str(row["_op"]) for row in rows]} if rows else None

    def _aggregates(self, gold: Sequence[Document]) -> Iterator[Document]:
        """The groups of refresh models in which the facts count."""
        held = {entry["model"]: entry["_raw"] for entry in gold}
        for model in self.pipeline.models:
            rows = held.get(model.source or "", [])
            held_keys = {tuple(row[name] for name in model.key) for row in rows}
            keys = sorted(tuple(map(str, key)) for key in held_keys if None not in key)[:KEYS]
            if found := self._rows(model, model.key, keys):
                personal = personal_columns(self.pipeline)[model.name]
                yield {
                    "model": model.name,
                    "of": model.source,
                    "rows": [self._shown(row, personal) for row in found],
                }

    def _dashboard(self, entries: Sequence[Document]) -> list[str]:
        """The visuals that show a model in which the row is."""
        from medallion_cli.dashboard import load_dashboard
        from medallion_cli.lineage import lineage, reached

        try:
            graph = lineage(self.pipeline, self.assets, load_dashboard(self.assets))
        except UsageError:  # a project without a dashboard
            return []
        starts = [f"gold.{entry['model']}" for entry in entries if entry["rows"]]
        ends = {end for _, end in reached(graph.edges, starts, upstream=False)}
        return sorted(end.partition(".")[2] for end in ends if end.startswith("dashboard."))


_SHAPES = {
    "int": r"-?\d{1,19}",
    "bigint": r"-?\d{1,20}",
    "decimal": r"-?\d+(\.\d+)?",
    "date": r"\d{4}-\d\d-\d\d",
    "timestamp": r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?",
    "boolean": r"[01]|true|false",
}


def key_of(table: Table, text: str) -> dict[str, str]:
    """A key as it is typed: `42`, `1,2` in the order of the key, `order_id=1,line_no=2`; UsageError for anything else."""
    found = parse_key(table, text)
    kinds = {column.name: column.spark for column in table.columns}
    for name, value in found.items():
        shape = _SHAPES.get(kinds[name].partition("(")[0])
        if shape and not re.fullmatch(shape, value):
            example = ",".join(f"{key}=…" for key in table.key)
            raise UsageError(f"{table.name}.{name}: {value!r} is no {kinds[name]}", hint=f"--key {example}")
    return found


def position(generation: str, seq: str) -> Document:
    """A position in words: generation, change sequence, and the place in the binlog where the sequence tells it."""
    found: Document = {"generation": generation, "seq": seq}
    if not seq:
        return found | {"text": f"{generation}, full load"}
    if re.fullmatch(r"0\d{34}", seq):  # file number, position in it, row of its event
        file, offset, row = int(seq[:16]), int(seq[16:28]), int(seq[28:])
        told = f"{generation}, binlog file {file} at {offset}, row {row}"
        return found | {"binlog_file": file, "binlog_offset": offset, "row": row, "text": told}
    if re.fullmatch(r"20\d{33}", seq):  # as DMS itself makes them: when it was captured, and a number
        moment = f"{seq[:4]}-{seq[4:6]}-{seq[6:8]}T{seq[8:10]}:{seq[10:12]}:{seq[12:14]}.{seq[14:16]}Z"
        return found | {"captured_at": moment, "text": f"{generation}, change {int(seq[16:])} of {moment}"}
    return found | {"text": f"{generation}, change {seq}"}


def _run_of(at: str, runs: Sequence[Document]) -> str | None:
    """The run whose silver step committed at a moment."""
    moment = datetime.fromisoformat(at.replace("Z", "+00:00"))
    for run in runs:
        begins, ends = (datetime.fromisoformat(run[name]) for name in ("from", "to"))
        if begins <= moment <= ends:
            return str(run["run_id"])
    return None


def _merged(touched: Sequence[Document]) -> list[Document]:
    """One entry a model: it may read a table twice."""
    found: dict[str, Document] = {}
    for entry in touched:
        known = found.setdefault(entry["model"], {"model": entry["model"], "keys": [], "total": 0})
        known["keys"] += [key for key in entry["keys"] if key not in known["keys"]]
        known["total"] = max(known["total"], entry["total"], len(known["keys"]))
    return [*found.values()]


def _any_of(
    model: Model, names: Sequence[str], keys: Sequence[Sequence[str]]
) -> tuple[str, dict[str, object]]:
    """A condition that a row has one of the keys, and its parameters."""
    types = {column.name: column.redshift for column in model.checked}
    given: dict[str, object] = {}
    parts = []
    for number, key in enumerate(keys):
        each = []
        for place, (name, text) in enumerate(zip(names, key, strict=True)):
            given[f"k{number}_{place}"] = text
            each.append(f'"{name}" = CAST(:k{number}_{place} AS {types[name]})')
        parts.append("(" + " AND ".join(each) + ")")
    return " OR ".join(parts), given
