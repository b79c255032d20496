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
MOVED = _keys(
    table=TEXT, layer=TEXT, read=COUNT, inserted=COUNT, updated=COUNT, deleted=COUNT, quarantined=COUNT
)
RUN = _keys(run_id=_or_null(TEXT), status=TEXT, seconds=NUMBER, tables=_list(MOVED))
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
STANDS = _keys(version=COUNT, status=TEXT, generation=TEXT)
SCHEDULES = _list(_keys(name=TEXT, enabled=FLAG, expression=TEXT))
WOULD = _keys(version=COUNT, dry_run=FLAG, would=_list(TEXT))  # of --dry-run; some say more
ERASURE = _keys(
    table=TEXT, key=_map(TEXT), silver=_map(COUNT), gold=_map(_or_null(COUNT)), staged=_list(TEXT), bronze=_list(TEXT),
    kept_until=_map(_or_null(TEXT)), named_by=_map(COUNT), is_begun=FLAG,
)  # fmt: skip
PLAN = _keys(
    seen=ANY, changes=_list(ANY), databases=_list(TEXT), losses=_list(ANY), emptied=ANY, live=ANY, stacks=_list(ANY),
    cost=ANY, findings=_list(ANY),
)  # fmt: skip


def _or_would(*of: Schema | str) -> Schema:
    return {"anyOf": [*of, WOULD]}


# command → its document: a schema, or `module:dataclass`, `[module:dataclass]` for a list of them; anyOf takes both
DOCUMENTS: dict[str, Schema | str] = {
    "init": _or_would(_keys(
        version=COUNT, project=TEXT, folder=TEXT, files=_list(TEXT), review=_list(TEXT), findings=_list(ANY)
    )),
    "table add": ADDED,
    "table update": ADDED,
    "model add": ADDED,
    "validate": "[medallion_cli.operations.findings:Finding]",
    "plan": PLAN,
    "up": _keys(
        version=COUNT, environment=TEXT, changed=FLAG, only=_or_null(TEXT), copied=FLAG, plan=_or_null(PLAN),
    ),
    "unlock": _or_would(_keys(version=COUNT, unlocked=FLAG, holder=_or_null(TEXT))),
    "outputs": _map(TEXT),
    "cost": "medallion_cli.operations.cost:CostEstimate",
    "drift": "medallion_cli.operations.drift:DriftReport",
    "seed": _or_would(
        "medallion_cli.operations.seed:Seeded",
        _keys(version=COUNT, rows=_map(COUNT)),  # of --from-mysql
    ),
    "run": _or_would(RUN),
    "retry": _or_would(_keys(("retried",), retried=TEXT, how=TEXT, **RUN["properties"])),
    "replay": {"anyOf": [RUN, _keys(since=TEXT, reads=ROWS, silver=_list(TEXT), gold=_map(TEXT))]},
    "merge": _or_would(
        _list(_keys(model=TEXT, staged_rows=COUNT, inserted=COUNT, updated=COUNT, deleted=COUNT))
    ),
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
    "verify": "medallion_cli.operations.verification.findings:Verification",
    "trace": _keys(
        found=FLAG, table=TEXT, key=_map(TEXT), source=_or_null(_map(ANY)), changes=ROWS, waiting=ROWS,
        silver=_or_null(_map(ANY)), gold=ROWS, aggregates=ROWS, dashboard=_list(TEXT),
    ),
    "query": ROWS,
    "peek": ROWS,
    "lineage": _keys(
        version=COUNT, nodes=_list(_keys(id=TEXT, layer=TEXT, kind=TEXT, columns=_list(TEXT))), edges=ROWS,
        columns=ROWS, unread=_list(ANY),
    ),
    "erase": _or_would(ERASURE),
    "housekeeping": _or_would(_map(ANY)),
    "policy": _map(_map(ANY)),
    "demo": _keys(version=COUNT, steps=_list(_keys(command=TEXT, document=ANY))),
    "down": _or_would("[medallion_cli.operations.teardown:Remaining]"),
    "pause": _or_would(SCHEDULES, "medallion_cli.operations.paused:Paused"),
    "resume": _or_would(SCHEDULES, _keys(version=COUNT, resumed=FLAG)),
    "quarantine list": _keys(tables=ROWS, rules=ROWS, files=ROWS),
    "quarantine show": ROWS,
    "quarantine replay": _or_would(RUN),
    "replicate start": _or_would(STANDS),
    "replicate stop": _or_would(STANDS),
    "replicate reload": _or_would(_keys(version=COUNT, generation=TEXT, tables=_list(TEXT), models=_list(TEXT))),
    "replicate status": "medallion_cli.operations.replicate:ReplicationStatus",
    "local start": _keys(version=COUNT, url=TEXT),
    "local stop": _keys(version=COUNT, stopped=FLAG),
    "local reset": _or_would(_keys(version=COUNT, folder=TEXT, removed=FLAG)),
    "local status": "[medallion_cli.local.lifecycle:ProcessStatus]",
    "local simulate": "[medallion_cli.local.replication.simulation:Simulation]",
}  # fmt: skip


def schema(command: str) -> Schema:
    """The schema of a command's document; KeyError for a command that prints none."""
    shared: Schema = {}
    found = _resolved(DOCUMENTS[command], shared)
    name = command.replace(" ", "-")
    return {
        "$schema": DIALECT,
        "$id": f"urn:medallion:{name}:{VERSION}",
        **found,
        **({"$defs": shared} if shared else {}),
        "title": f"medallion {command} --output json",
    }


def _resolved(given: Schema | str, shared: Schema) -> Schema:
    """The schema of a dataclass that is named; what it refers to goes to `shared`."""
    if isinstance(given, dict):
        return {k: [_resolved(one, shared) for one in v] if k == "anyOf" else v for k, v in given.items()}
    found = _of_dataclass(given)
    shared.update(found.pop("$defs", {}))
    return found


def _of_dataclass(place: str) -> Schema:
    from pydantic import TypeAdapter

    module, _, name = place.strip("[]").partition(":")
    kind: Any = getattr(importlib.import_module(module), name)
    made = TypeAdapter(list[kind] if place.startswith("[") else kind).json_schema(mode="serialization")
    found: Schema = _untitled(made)
    return found


def _untitled(node: Any) -> Any:
    """Without the titles that pydantic makes of names; a property may be called title."""
    match node:
        case dict():
            return {k: _untitled(v) for k, v in node.items() if k != "title" or not isinstance(v, str)}
        case list():
            return [_untitled(each) for each in node]
        case _:
            return node
