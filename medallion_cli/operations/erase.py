"""Erase: removes a person's key from silver, history, staging and gold, and says what stays in bronze and until when.

The ledger comes first, rows after: a command that was killed is finished by typing it again, and a silver rebuilt from bronze
leaves the key out. Gold follows by an evaluation in full of the models that read the table.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.events import Event, Finished, Started
from medallion_cli.operations import run as runs

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Model, Pipeline, Table

BRONZE_DAYS = 90  # the template's default
STATEMENTS = 40  # of one batch


@dataclass(frozen=True)
class Erasure:
    """What erasing a key touches."""

    table: str
    key: dict[str, str]
    silver: dict[str, int]  # rows by silver table
    gold: dict[str, int | None]  # rows by model; None: evaluated anew, its rows are not the key's alone
    staged: list[str]  # objects in staging that may hold the key
    bronze: list[str]  # objects of bronze that hold it, and stay
    kept_until: dict[
        str, str | None
    ]  # by generation: the day after which bronze may go; None: while it is the newest
    named_by: dict[str, int]  # live rows of other tables that name the key
    entry: dict[str, Any] = field(repr=False)  # of the ledger
    is_begun: bool = False  # by a command that was interrupted

    @property
    def is_done(self) -> bool:
        """Whether there is nothing (more) to erase."""
        return not any(self.silver.values()) and not any(self.gold.values()) and not self.is_begun

    @property
    def document(self) -> dict[str, Any]:
        """The documented JSON."""
        return {name: value for name, value in vars(self).items() if name != "entry"}


def parse_key(table: Table, text: str) -> dict[str, str]:
    """`42`, `1,2` in the order of the key, or `order_id=1,line_no=2`; UsageError when it is another key."""
    parts = [part.strip() for part in text.split(",")] if len(table.key) > 1 else [text.strip()]
    pairs = [part.partition("=") for part in parts]
    if all(equals and name.strip() in table.key for name, equals, _ in pairs):
        found = {name.strip(): value.strip() for name, _, value in pairs}
    else:
        found = dict(zip(table.key, parts, strict=False))
    if set(found) != set(table.key) or len(parts) != len(table.key) or not all(found.values()):
        example = ",".join(f"{name}=…" for name in table.key)
        raise UsageError(f"{table.name}: the key is {', '.join(table.key)}", hint=f"--key {example}")
    return {name: found[name] for name in table.key}


def look(
    target: Target,
    outputs: dict[str, str],
    settings: Settings,
    pipeline: Pipeline,
    warehouse: Warehouse,
    table: Table,
    key: dict[str, str],
    *,
    arrive: bool = True,
) -> Generator[Event, None, Erasure]:
    """Finds the key in the layers, brought up to now if they may `arrive`; MedallionError while the source holds it."""
    refuse_living(target, outputs, table, key)
    if arrive:
        yield from runs.run(target, outputs, settings, runs.plan(pipeline, None, None))
    yield Started("look")
    found = _job(target, outputs, settings, table, key, "look")
    if found["live"]:
        raise MedallionError(
            f"{table.name} {_shown(key)} is gone from the source, but not from silver yet",
            hint="medallion run",
        )
    known = _known(target, outputs, table, found["key_hash"])
    entry = _entry(found, known)
    bronze = list(_kept(target, outputs, entry["files"]))
    plan = Erasure(
        table=table.name,
        key=key,
        silver=found["rows"],
        gold=_gold(warehouse, pipeline, table, key),
        staged=list(_staged(target, outputs, _readers(pipeline, table))),
        bronze=bronze,
        kept_until=kept_until(target, outputs, settings, bronze),
        named_by=found["named_by"],
        entry=entry,
        is_begun=known is not None and not known["done"],
    )
    yield Finished("look", f"{sum(plan.silver.values())} rows in silver")
    return plan


def erase(
    target: Target,
    outputs: dict[str, str],
    settings: Settings,
    pipeline: Pipeline,
    warehouse: Warehouse,
    plan: Erasure,
) -> Generator[Event, None, dict[str, int | None]]:
    """Does it; each step can be repeated. Rows of the key that gold holds afterwards, by model."""
    from medallion_cli.aws import s3

    table = pipeline.table(plan.table)
    refuse_living(target, outputs, table, plan.key)
    yield from runs.idle(target, outputs, settings)
    _write_ledger(target, outputs, table, plan.entry)
    yield Started("silver")
    left = _job(target, outputs, settings, table, plan.key, "erase")
    yield Finished("silver", f"{sum(plan.silver.values())} rows and every file that held them")
    yield Started("staging")
    readers = _readers(pipeline, table)
    _empty_staging(warehouse, readers)
    gone = s3.delete(target, outputs["StagingBucket"], list(_staged(target, outputs, readers)))
    yield Finished("staging", f"{gone} objects")
    yield from runs.run(target, outputs, settings, runs.RunPlan(("gold",), (), ()))
    yield Started("gold")
    for model in readers:
        warehouse.execute(f'VACUUM DELETE ONLY gold."{model.name}"')
    after = _gold(warehouse, pipeline, table, plan.key)
    if any(left["rows"].values()) or any(after.values()):
        raise MedallionError(f"{table.name} {_shown(plan.key)} is not gone yet", hint="type the same command")
    _write_ledger(target, outputs, table, {**plan.entry, "done": True})
    yield Finished("gold", f"{len(readers)} models evaluated without it")
    return after


def refuse_living(target: Target, outputs: dict[str, str], table: Table, key: dict[str, str]) -> None:
    """MedallionError when the source has the row: it would come back, and verify would differ until then."""
    from medallion_cli.aws.source import Source

    found = Source(target, outputs["SourceFunctionName"]).call("row", table=table.name, key=key)
    if found["row"] is not None:
        text = f"{table.name} {_shown(key)} is still at the source: delete it there first"
        raise MedallionError(text, hint="once it is deleted, type the same command")


def _shown(key: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items())


def _job(
    target: Target, outputs: dict[str, str], settings: Settings, table: Table, key: dict[str, str], mode: str
) -> dict[str, Any]:
    """Runs the Glue job; its request, which names the key, is deleted again."""
    from medallion_cli.aws import s3
    from medallion_cli.aws.jobs import run_job

    bucket, prefix = outputs["ArtifactsBucket"], f"erase/{uuid.uuid4().hex}"
    request = {"table": table.name, "key": key, "mode": mode}
    s3.put_text(target, bucket, f"{prefix}/request.json", json.dumps(request))
    arguments = {f"--{n}_uri": f"s3://{bucket}/{prefix}/{n}.json" for n in ("request", "result")}
    arguments["--run_id"] = f"erase-{prefix[-8:]}"
    try:
        run_job(target, outputs["EraseJob"], arguments, min(settings.poll_seconds, 5) / 2, sleep=time.sleep)
        text = s3.read_text(target, bucket, f"{prefix}/result.json")
    finally:
        s3.delete(target, bucket, [f"{prefix}/request.json", f"{prefix}/result.json"])
    if text is None:
        raise MedallionError("the erase job wrote no result", hint="medallion status")
    found: dict[str, Any] = json.loads(text)
    return found


def _readers(pipeline: Pipeline, table: Table) -> list[Model]:
    """The models that Spark evaluates from the table."""
    return [m for m in pipeline.models if m.staged and any(i.table == table.name for i in m.inputs)]


def _gold(
    warehouse: Warehouse, pipeline: Pipeline, table: Table, key: dict[str, str]
) -> dict[str, int | None]:
    """Rows of the key in the models that have the table's key, whole histories included."""
    found: dict[str, int | None] = {}
    for model in _readers(pipeline, table):
        if set(model.key) != set(table.key):
            found[model.name] = None
            continue
        types = {column.name: column.redshift for column in model.columns}
        same = " AND ".join(f'"{name}" = CAST(:{name} AS {types[name]})' for name in key)
        rows = warehouse.execute(f'SELECT COUNT(*) FROM gold."{model.name}" WHERE {same}', dict(key)).rows
        found[model.name] = int(str(rows[0][0]))
    return found


def _staged(target: Target, outputs: dict[str, str], models: Iterable[Model]) -> Iterable[str]:
    """Objects in staging of any run of the models; a run that is needed stages again."""
    from medallion_cli.aws import s3

    names = {model.name for model in models}
    for key in s3.keys(target, outputs["StagingBucket"]):
        parts = key.split("/")
        if len(parts) > 1 and parts[1].removesuffix(".manifest") in names:
            yield key


def _empty_staging(warehouse: Warehouse, models: list[Model]) -> None:
    statements = [
        sql
        for model in models
        for sql in (
            f'DELETE FROM staging."{model.name}"',
            f"DELETE FROM etl.staged WHERE model = '{model.name}'",
        )
    ]
    for start in range(0, len(statements), STATEMENTS):
        warehouse.batch(statements[start : start + STATEMENTS])


def _known(target: Target, outputs: dict[str, str], table: Table, key_hash: str) -> dict[str, Any] | None:
    """The ledger's entry of a key."""
    return next((e for e in _ledger(target, outputs, table)["erased"] if e["key"] == key_hash), None)


def _entry(found: dict[str, Any], known: dict[str, Any] | None) -> dict[str, Any]:
    """The key's entry of the ledger, with what an earlier one knew of files."""
    files = {name: sorted({*found[name], *(known or {}).get(name, [])}) for name in ("files", "emptied")}
    return {
        "key": found["key_hash"],
        "generation": found["generation"],
        "seq": found["seq"],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "done": False,
        **files,
    }


def _ledger(target: Target, outputs: dict[str, str], table: Table) -> dict[str, Any]:
    from medallion_cli.aws import s3

    text = s3.read_text(target, outputs["ArtifactsBucket"], f"erasures/{table.name}.json")
    found: dict[str, Any] = json.loads(text) if text else {"table": table.name, "erased": []}
    return found


def _write_ledger(target: Target, outputs: dict[str, str], table: Table, entry: dict[str, Any]) -> None:
    from medallion_cli.aws import s3

    ledger = _ledger(target, outputs, table)
    others = [known for known in ledger["erased"] if known["key"] != entry["key"]]
    document = json.dumps({**ledger, "erased": [*others, entry]})
    s3.put_text(target, outputs["ArtifactsBucket"], f"erasures/{table.name}.json", document)


def _kept(target: Target, outputs: dict[str, str], files: Iterable[str]) -> Iterable[str]:
    """Those of the bronze files that are still there."""
    from medallion_cli.aws import s3

    return (file for file in files if "/" in file and s3.exists(target, outputs["BronzeBucket"], file))


def kept_until(
    target: Target, outputs: dict[str, str], settings: Settings, files: Iterable[str]
) -> dict[str, str | None]:
    """When housekeeping deletes the generations that hold the files: so many days after their successor began."""
    from medallion_cli.aws import s3

    bucket = outputs["BronzeBucket"]
    days = timedelta(days=bronze_days(settings))
    known = generations(target, outputs)
    found: dict[str, str | None] = {}
    for generation in sorted({file.split("/")[0] for file in files}):
        began = next((s3.began(target, bucket, f"{g}/") for g in known if g > generation), None)
        found[generation] = f"{began + days:%Y-%m-%d}" if began is not None else None
    return found


def generations(target: Target, outputs: dict[str, str]) -> list[str]:
    """Those that bronze holds, oldest first."""
    from medallion_cli.aws import s3

    folders = s3.folders(target, outputs["BronzeBucket"], "")
    return sorted(name for name in folders if re.fullmatch(r"g\d{4,}", name))


def bronze_days(settings: Settings) -> int:
    """Days that a superseded generation of bronze stays."""
    return int(settings.parameters.get("BronzeDays", BRONZE_DAYS))
