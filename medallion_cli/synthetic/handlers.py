"""The two Lambda handlers of the zip: the source's closed list of operations, and the scheduled generator.

Environment: SECRET_ARN, REPLICATION_SECRET_ARN, PIPELINE (`pipeline.json`), GENERATOR_CHANGES, CA_BUNDLE (TLS
when set). The zip's root holds `pipeline.json`, `synthetic.json`, `schema.sql`, `pymysql/` and
`medallion_cli/`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import boto3  # noqa: F401  (once an environment, before an event waits for it)

from medallion_cli.errors import UsageError
from medallion_cli.synthetic import definitions, digests, inserts, rows, seeding, server
from medallion_cli.synthetic.seeding import Event, Project, Result

GENERATED = 200

OPERATIONS: dict[str, Callable[[Project, Event], Result]] = {
    "bootstrap": server.bootstrap,
    "heartbeat": server.heartbeat,
    "position": server.position,
    "binlogs": server.binlogs,
    "settings": server.settings,
    "counts": server.counts,
    "checksums": digests.checksums,
    "digests": digests.digests,
    "cells": digests.cells,
    "row": server.row,
    "rows": rows.rows,
    "insert_rows": inserts.insert_rows,
    "columns": definitions.columns,
    "definition": definitions.definition,
    "reachable": server.reachable,
    "health": server.health,
    "plan": seeding.plan,
    "foresee": seeding.foresee,
    "seed_chunk": seeding.seed_chunk,
    "change_chunk": seeding.change_chunk_operation,
    "ledger": seeding.ledger_operation,
    "changes": seeding.changes_operation,
}


def source_handler(event: Event, context: Any = None) -> Result:
    """One operation: {operation, …its fields} → its JSON result; UsageError for an unknown one."""
    operation = OPERATIONS.get(str(event.get("operation")))
    if operation is None:
        raise UsageError(f"no operation {event.get('operation')!r}: one of {', '.join(OPERATIONS)}")
    missing = [name for name in REQUIRED.get(str(event["operation"]), ()) if name not in event]
    if missing:
        raise UsageError(f"operation {event['operation']} needs {missing[0]}")
    return operation(project(), event)


REQUIRED = {
    "heartbeat": ("token",),
    "checksums": ("token",),
    "digests": ("table", "token", "digits"),
    "cells": ("table", "token"),
    "row": ("table", "key"),
    "rows": ("table",),
    "insert_rows": ("table", "columns", "rows"),
    "definition": ("table",),
    "plan": ("kind", "wanted"),
    "foresee": ("wanted",),
    "seed_chunk": ("plan_id",),
    "change_chunk": ("plan_id",),
}


def generator_handler(event: Event, context: Any = None) -> Result:
    """A small batch of changes: {changes} of them, else GENERATOR_CHANGES, else 200."""
    wanted = int(event.get("changes") or os.environ.get("GENERATOR_CHANGES") or GENERATED)
    return seeding.generate(project(), {"changes": wanted})


@cache
def project() -> Project:
    """The documents at the root of the zip, read once in the life of the process."""
    root = Path(os.environ.get("LAMBDA_TASK_ROOT") or Path(__file__).parents[2])
    pipeline = json.loads((root / os.environ.get("PIPELINE", "pipeline.json")).read_text(encoding="utf-8"))
    recipe = json.loads((root / "synthetic.json").read_text(encoding="utf-8"))
    return Project(pipeline, recipe, (root / "schema.sql").read_text(encoding="utf-8"))
