"""Generations of bronze as the Glue job reads of them: `s3://<artifacts>/generations/<folder>.json`.

A document tells which tables are loaded in the folder (null: all) and that their load was seen complete. DMS tells the
latter of its newest load alone, and forgets it with the next; silver that is made anew needs it of every one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from medallion_cli.aws import s3
from medallion_cli.aws.replication import LOADED, Replication
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Noted
from medallion_cli.operations import marks

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings

PREFIX = "generations/"
MARK = "reloading-tables"  # folder and tables that the task may not have been told yet to load
SETTLED = (LOADED, "Table error")  # states of tables that nothing is done with
PATIENCE = 120.0  # seconds until DMS shows that it has begun to load a table again


def known(target: Target, outputs: dict[str, str], folder: str) -> dict[str, Any] | None:
    """A folder's document; None when there is none."""
    text = s3.read_text(target, outputs["ArtifactsBucket"], f"{PREFIX}{folder}.json")
    found: dict[str, Any] | None = json.loads(text) if text else None
    return found


def begin(target: Target, outputs: dict[str, str], folder: str) -> None:
    """Says of an empty folder that all tables will be loaded in it, whatever an interrupted command meant it for."""
    marks.drop(target, MARK)
    _write(target, outputs, folder, {"tables": None, "loaded": False})


def begin_some(target: Target, outputs: dict[str, str], folder: str, tables: Sequence[str]) -> None:
    """Says of an empty folder that these tables (`schema.table`) alone will be, and marks that the task is to be told so."""
    marks.write(target, MARK, json.dumps({"folder": folder, "tables": sorted(tables)}))
    _write(target, outputs, folder, {"tables": sorted(tables), "loaded": False})


def complete(target: Target, outputs: dict[str, str], folder: str) -> None:
    """Says that the folder's load is complete, unless that is known."""
    document = known(target, outputs, folder) or {"tables": None, "loaded": False}
    if not document["loaded"]:
        _write(target, outputs, folder, document | {"loaded": True})


def _write(target: Target, outputs: dict[str, str], folder: str, document: dict[str, Any]) -> None:
    s3.put_text(target, outputs["ArtifactsBucket"], f"{PREFIX}{folder}.json", json.dumps(document))


def finish(
    target: Target, outputs: dict[str, str], replication: Replication, settings: Settings
) -> Generator[Event, None, None]:
    """Tells the running task to load the tables that a mark names, once; the load itself is not waited for.

    The mark keeps how they stood before: who finds it again, after a kill, sees by that whether the task was told.
    Where the task never came to the mark's folder, the document goes too: the next that begins there is another.
    """
    text = marks.read(target, MARK)
    if text is None:
        return
    mark = json.loads(text)
    names: list[str] = mark["tables"]
    current = replication.generation()
    if mark["folder"] > current:
        s3.delete(target, outputs["ArtifactsBucket"], [f"{PREFIX}{mark['folder']}.json"])
    if mark["folder"] == current:
        now = _standing(replication, names)
        before: dict[str, str] = mark.get("before", now)
        if all(now.get(name) == stood for name, stood in before.items()):
            marks.write(target, MARK, json.dumps(mark | {"before": now}))
            yield Noted(f"{', '.join(names)}: loaded again, into {mark['folder']}")
            pairs = [name.partition(".") for name in names]
            replication.reload([(schema, table) for schema, _, table in pairs])
        _await_begun(replication, before, settings)
    marks.drop(target, MARK)


def _await_begun(replication: Replication, before: dict[str, str], settings: Settings) -> None:
    """Until none of them stands as before: DMS answers at once and begins later."""
    deadline = time.monotonic() + PATIENCE
    settled = {name: stood for name, stood in before.items() if stood.startswith(SETTLED)}
    while settled.items() & _standing(replication, list(settled)).items():
        if time.monotonic() > deadline:
            raise MedallionError(
                f"DMS has not begun to load {', '.join(before)} again", hint="medallion replicate start"
            )
        time.sleep(min(settings.poll_seconds, 1))


def _standing(replication: Replication, names: list[str]) -> dict[str, str]:
    """State of tables and when their newest load ended: another one after each load."""
    told = {f"{t.schema}.{t.table}": f"{t.state} {t.loaded_at}" for t in replication.tables()}
    return {name: told[name] for name in names if name in told}
