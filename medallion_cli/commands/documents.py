"""JSON schemas of what `--output json` prints, by command: from the dataclasses where there are such.

Within a version no key is renamed, removed or given another type; keys may be added.
"""

from __future__ import annotations

import importlib
from typing import Any

from medallion_cli.schemas import DIALECT

VERSION = 1
TEXT, NUMBER, FLAG, COUNT = {"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "integer"}
ANY: dict[str, Any] = {}
Schema = dict[str, Any]


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _map(of: Schema) -> Schema:
    return {"type": "object", "additionalProperties": of}


def _keys(optional: tuple[str, ...] = (), **properties: Schema) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _or_null(of: Schema) -> Schema:
    return {"anyOf": [of, {"type": "null"}]}


ROWS = _list(_map(ANY))
RUN = _keys(run_id=_or_null(TEXT), status=TEXT, seconds=NUMBER, tables=ROWS)
ADDED = _keys(
    version=COUNT, name=TEXT, changed=FLAG, files=_list(TEXT), review=_list(TEXT), difference=_list(TEXT)
)
FINDING = _keys(
    code=TEXT,
    severity=TEXT,
    title=TEXT,
    evidence=TEXT,
    consequence=TEXT,
    remedy=TEXT,
    safe_to_fix=FLAG,
    where=TEXT,
)
LINE = _keys(at=TEXT, group=TEXT, stream=TEXT, text=TEXT)
SCHEDULES = _list(_keys(name=TEXT, enabled=FLAG, expression=TEXT))
# command → its document: a schema, or `module:dataclass`, `[module:dataclass]` for a list of them
DOCUMENTS: dict[str, Schema | str] = {
    "init": _keys(
        version=COUNT, project=TEXT, folder=TEXT, files=_list(TEXT), review=_list(TEXT), findings=_list(ANY)
    ),
    "table add": ADDED,
    "table update": ADDED,
    "model add": ADDED,
    "validate": "[medallion_cli.operations.findings:Finding]",
    "plan": _keys(
        seen=ANY, changes=_list(ANY), databases=_list(TEXT), losses=_list(ANY), emptied=ANY, live=ANY,
        stacks=_list(ANY), cost=ANY, findings=_list(ANY),
    ),
    "outputs": _map(TEXT),
    "cost": "medallion_cli.operations.cost:CostEstimate",
    "drift": "medallion_cli.operations.drift:DriftReport",
    "seed": _map(ANY),
    "run": RUN,
    "retry": _keys(("retried",), retried=TEXT, how=TEXT, **RUN["properties"]),
    "replay": {"anyOf": [RUN, _keys(since=TEXT, reads=ROWS, silver=_list(TEXT), gold=_map(TEXT))]},
    "merge": _list(_keys(model=TEXT, staged_rows=COUNT, inserted=COUNT, updated=COUNT, deleted=COUNT)),
    "status": _keys(
        env=TEXT, healthy=FLAG, layers=_list(_keys(layer=TEXT, tables=ROWS)), last_run=_or_null(_map(ANY)),
        replication=_keys(status=TEXT, generation=TEXT), lag=_map(_or_null(NUMBER)), engines=ROWS, running=ROWS,
        schedules=ROWS, quarantine=ROWS, findings=_list(FINDING),
    ),
    "doctor": _keys(
        env=TEXT, healthy=FLAG, findings=_list(FINDING), passed=_list(TEXT), skipped=_list(TEXT), fixed=ANY,
    ),
    "doctor explain": "medallion_cli.operations.doctor.rules:Rule",
    "logs": {"anyOf": [_keys(cause=_or_null(_map(ANY)), lines=_list(LINE)), LINE]},  # a LINE a line with --follow
    "runs": _list(_keys(run_id=TEXT, status=TEXT, started_at=TEXT, seconds=NUMBER)),
    "runs show": "medallion_cli.operations.runs:RunView",
    "dashboard": {"anyOf": [_list(_keys(id=TEXT, title=TEXT, rows=ROWS)), _keys(file=TEXT), _keys(url=TEXT)]},
    "verify": _keys(equal=FLAG, position=_map(ANY), tables=ROWS, models=ROWS, differences=ROWS),
    "trace": _keys(found=FLAG),
    "query": ROWS,
    "peek": ROWS,
    "lineage": _keys(
        version=COUNT, nodes=_list(_keys(id=TEXT, layer=TEXT, kind=TEXT, columns=_list(TEXT))), edges=ROWS,
        columns=ROWS, unread=_list(ANY),
    ),
    "erase": _map(ANY),
    "housekeeping": _map(ANY),
    "policy": _map(_map(ANY)),
    "down": "[medallion_cli.operations.teardown:Remaining]",
    "pause": {"anyOf": [SCHEDULES, _keys(since=TEXT, schedules=_list(TEXT), replicating=FLAG, size=TEXT, checkpoint=TEXT)]},
    "resume": SCHEDULES,  # with --schedule; without it there is nothing to tell
    "quarantine list": _keys(tables=ROWS, rules=ROWS, files=ROWS),
    "quarantine show": ROWS,
    "quarantine replay": RUN,
    "replicate status": "medallion_cli.operations.replicate:ReplicationStatus",
    "local status": "[medallion_cli.local.lifecycle:ProcessStatus]",
    "local simulate": "[medallion_cli.local.replication.simulation:Simulation]",
}  # fmt: skip


def schema(command: str) -> Schema:
    """The schema of a command's document; KeyError for a command that prints none."""
    given = DOCUMENTS[command]
    found = given if isinstance(given, dict) else _of_dataclass(given)
    name = command.replace(" ", "-")
    return {
        "$schema": DIALECT,
        "$id": f"urn:medallion:{name}:{VERSION}",
        **found,
        "title": f"medallion {command} --output json",
    }


def _of_dataclass(place: str) -> Schema:
    from pydantic import TypeAdapter

    module, _, name = place.strip("[]").partition(":")
    kind: Any = getattr(importlib.import_module(module), name)
    return TypeAdapter(list[kind] if place.startswith("[") else kind).json_schema(mode="serialization")
