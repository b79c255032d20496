"""Verify: every table's silver against the source, every model's gold against its full evaluation over silver."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli.canonical import checksum_select
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Started

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Model, Pipeline


@dataclass(frozen=True)
class Verification:
    """The documented JSON of `verify`."""

    equal: bool
    position: dict[str, Any]
    tables: list[dict[str, Any]]
    models: list[dict[str, Any]]

    @property
    def document(self) -> dict[str, Any]:
        """One JSON document."""
        return dict(vars(self))


def verify(
    target: Target, outputs: dict[str, str], settings: Settings, pipeline: Pipeline, warehouse: Warehouse
) -> Generator[Event, None, Verification]:
    """Checksums computed inside each engine: the source at a heartbeat, silver in Spark, gold in the warehouse."""
    token = uuid.uuid4().hex
    yield Started("source")
    source = _source(target, outputs, pipeline, token)
    yield Finished(
        "source",
        f"{sum(t['rows'] for t in source['tables'].values()):,} rows at heartbeat {source['heartbeat']}",
    )
    yield Started("silver and expectations of gold")
    spark = _spark(target, outputs, settings, pipeline, token)
    yield Finished("silver and expectations of gold")
    yield Started("gold")
    gold = {m.name: _gold(warehouse, m) for m in pipeline.models}
    expected = {
        m.name: spark["models"].get(m.name) if m.staged else _refreshed(warehouse, m) for m in pipeline.models
    }
    yield Finished("gold", f"{sum(g['rows'] for g in gold.values()):,} rows")
    tables = [
        _pair("table", n, "source", c, "silver", spark["tables"].get(n)) for n, c in source["tables"].items()
    ]
    models = [_pair("model", n, "gold", c, "expected", expected[n]) for n, c in gold.items()]
    equal = all(entry["equal"] for entry in [*tables, *models])
    return Verification(equal, {"heartbeat": source["heartbeat"], "token": token}, tables, models)


def _source(target: Target, outputs: dict[str, str], pipeline: Pipeline, token: str) -> dict[str, Any]:
    from medallion_cli.aws.source import Source

    names = [table.name for table in pipeline.tables]
    found = Source(target, outputs["SourceFunctionName"]).call("checksums", tables=names, token=token)
    tables = found["tables"]
    if isinstance(tables, list):
        tables = {entry["table"]: entry for entry in tables}
    return {
        "heartbeat": found.get("heartbeat", found.get("heartbeat_id")),
        "tables": {n: _facts(tables[n]) for n in names},
    }


def _facts(entry: dict[str, Any]) -> dict[str, Any]:
    return {"rows": int(entry["rows"]), "checksum": entry["checksum"]}


def _spark(
    target: Target, outputs: dict[str, str], settings: Settings, pipeline: Pipeline, token: str
) -> dict[str, dict[str, Any]]:
    from medallion_cli.aws.jobs import run_job
    from medallion_cli.aws.s3 import put_text, read_text

    bucket, prefix = outputs["ArtifactsBucket"], f"verify/{token}"
    request = {
        "tables": [{"table": t.name, "upto_generation": None, "upto_seq": None} for t in pipeline.tables],
        "models": [m.name for m in pipeline.models if m.staged],
    }
    put_text(target, bucket, f"{prefix}/request.json", json.dumps(request))
    uris = {k: f"s3://{bucket}/{prefix}/{k}.json" for k in ("request", "result")}
    arguments = {
        "--request_uri": uris["request"],
        "--result_uri": uris["result"],
        "--run_id": f"verify-{token[:8]}",
    }
    run_job(target, outputs["ChecksumJob"], arguments, min(settings.poll_seconds, 5) / 2, sleep=time.sleep)
    text = read_text(target, bucket, f"{prefix}/result.json")
    if text is None:
        raise MedallionError("the checksum job wrote no result", hint="medallion status")
    found = json.loads(text)
    return {
        kind: {e[name]: _facts(e) for e in found[kind]}
        for kind, name in (("tables", "table"), ("models", "model"))
    }


def _gold(warehouse: Warehouse, model: Model) -> dict[str, Any]:
    return _checksum(warehouse, f"gold.{model.name}", model)


def _refreshed(warehouse: Warehouse, model: Model) -> dict[str, Any]:
    names = ", ".join(f'"{column.name}"' for column in model.checked)
    return _checksum(warehouse, f"(SELECT {names} FROM ({model.select}) evaluated) expected", model)


def _checksum(warehouse: Warehouse, relation: str, model: Model) -> dict[str, Any]:
    expressions = [column.canonical["redshift"] for column in model.checked]
    rows, checksum = warehouse.execute(checksum_select("redshift", relation, expressions)).rows[0]
    return {"rows": int(str(rows)), "checksum": str(checksum)}


def _pair(
    what: str, name: str, left: str, one: dict[str, Any], right: str, other: dict[str, Any] | None
) -> dict[str, Any]:
    return {what: name, "equal": one == other, left: one, right: other or {"rows": 0, "checksum": ""}}
