"""Rows of any layer as they are; personal columns are masked unless asked for."""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from medallion_cli import INSTALL_LOCAL
from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.events import Event, Finished, Noted, Started
from medallion_cli.privacy import MASK, personal_columns

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Model, Pipeline, Table

LAYERS = ("source", "bronze", "silver", "staging", "gold")
CHANGES = "_changes"
MOST_FILES = 200  # of bronze, that are read in the search of a key


@dataclass(frozen=True)
class Question:
    """What to look at: texts of key columns, at most so many rows."""

    layer: str
    table: str
    key: Mapping[str, str]
    limit: int


@dataclass(frozen=True)
class Peeked:
    """Rows in column order; `masked` names the columns whose values are hidden."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    masked: tuple[str, ...] = ()

    def dicts(self) -> list[dict[str, object]]:
        """Rows by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def question(pipeline: Pipeline, layer: str, table: str, key: str | None, limit: int) -> Question:
    """Checked against the specification; UsageError lists what there is.

    A key is the value, values in key order with commas between, or `column=value` with commas between.
    """
    if layer not in LAYERS:
        raise UsageError(f"no layer {layer!r}", hint=f"one of: {', '.join(LAYERS)}")
    found = _subject(pipeline, layer, table)
    return Question(layer, table, _key(found.key, key) if key is not None else {}, limit)


def _subject(pipeline: Pipeline, layer: str, table: str) -> Table | Model:
    if layer in ("staging", "gold"):
        return pipeline.model(table)
    return pipeline.table(table.removesuffix(CHANGES) if layer == "silver" else table)


def _key(names: Sequence[str], text: str) -> dict[str, str]:
    if len(names) == 1 and not text.startswith(f"{names[0]}="):
        return {names[0]: text}
    parts = [part.strip() for part in text.split(",")]
    if all("=" in part for part in parts):
        given = dict(part.split("=", 1) for part in parts)
    else:
        given = dict(zip(names, parts, strict=False)) if len(parts) == len(names) else {}
    if not given or set(given) - set(names):
        example = ",".join(f"{name}=…" for name in names)
        raise UsageError(f"{text!r} is no key of {', '.join(names)}", hint=f"--key {example}")
    return given


def peek(
    target: Target,
    outputs: dict[str, str],
    settings: Settings,
    pipeline: Pipeline,
    warehouse: Warehouse,
    asked: Question,
    *,
    show_personal: bool,
) -> Generator[Event, None, Peeked]:
    """The rows; each layer is asked in its own way, and only the one that is asked for."""
    match asked.layer:
        case "source":
            found = _source(target, outputs, asked)
        case "bronze":
            found = yield from _bronze(target, outputs, pipeline.table(asked.table), asked)
        case "silver":
            found = yield from _silver(target, outputs, settings, asked)
        case _:
            found = _warehouse(warehouse, pipeline.model(asked.table), asked)
    return found if show_personal else masked(found, personal(pipeline, asked))


def personal(pipeline: Pipeline, asked: Question) -> frozenset[str]:
    """The personal columns of what is looked at; a changed key's before-image is as personal as the key."""
    if asked.layer in ("staging", "gold"):
        return personal_columns(pipeline)[asked.table]
    found = _subject(pipeline, asked.layer, asked.table)
    return frozenset(name for column in found.personal for name in (column, f"BI_{column}"))


def masked(found: Peeked, columns: Iterable[str]) -> Peeked:
    """The rows with these columns' values hidden; NULL is told apart, since it tells nobody's secret."""
    hidden = [k for k, name in enumerate(found.columns) if name in set(columns)]
    rows = tuple(
        tuple(MASK if k in hidden and value is not None else value for k, value in enumerate(row))
        for row in found.rows
    )
    return replace(found, rows=rows, masked=tuple(found.columns[k] for k in hidden))


def _source(target: Target, outputs: dict[str, str], asked: Question) -> Peeked:
    from medallion_cli.aws.source import Source

    source = Source(target, outputs["SourceFunctionName"])
    found = source.call("rows", table=asked.table, limit=asked.limit, key=dict(asked.key))
    return _texts(found)


def _texts(found: dict[str, Any]) -> Peeked:
    return Peeked(tuple(found["columns"]), tuple(tuple(row) for row in found["rows"]))


def _bronze(
    target: Target, outputs: dict[str, str], table: Table, asked: Question
) -> Generator[Event, None, Peeked]:
    """The newest files first; each row with the file that it is in."""
    from medallion_cli.aws.s3 import read_bytes

    pq, pc = _pyarrow()
    bucket = outputs["BronzeBucket"]
    columns: dict[str, None] = {}
    rows: list[dict[str, object]] = []
    looked = 0
    for key in _files(target, bucket, table):
        if len(rows) >= asked.limit or looked == MOST_FILES:
            break
        looked += 1
        file = pq.ParquetFile(io.BytesIO(read_bytes(target, bucket, key)), pre_buffer=False)
        found = file.read(use_threads=False)  # threads of Arrow's may outlive Python's end, which aborts
        for name, text in asked.key.items():
            found = found.filter(pc.equal(pc.cast(found[name], "string"), text))
        newest = found.slice(max(0, found.num_rows - (asked.limit - len(rows)))).to_pylist()[::-1]
        columns |= dict.fromkeys(found.column_names)
        rows += [{**row, "file": key} for row in newest]
    if looked == MOST_FILES and len(rows) < asked.limit:
        yield Noted(f"only the newest {looked} files were looked at")
    names = (*columns, "file") if columns else ()
    return Peeked(names, tuple(tuple(_plain(row.get(name)) for name in names) for row in rows))


def _plain(value: object) -> object:
    return value.hex().upper() if isinstance(value, bytes) else value


def _files(target: Target, bucket: str, table: Table) -> Iterator[str]:
    """Keys of a table's bronze files, the newest generation's newest first; a load comes before its changes."""
    from medallion_cli.aws.s3 import folders, keys

    for generation in sorted(folders(target, bucket, ""), reverse=True):
        names = keys(target, bucket, f"{generation}/{table.schema}/{table.name}/")
        yield from sorted(
            (name for name in names if name.endswith(".parquet")),
            key=lambda name: (not name.rpartition("/")[2].startswith("LOAD"), name),
            reverse=True,
        )


def _pyarrow() -> tuple[Any, Any]:
    try:
        from pyarrow import compute, parquet
    except ImportError:
        raise MedallionError(
            "bronze is Parquet, which needs pyarrow to be read", hint=INSTALL_LOCAL
        ) from None
    return parquet, compute


def _silver(
    target: Target, outputs: dict[str, str], settings: Settings, asked: Question
) -> Generator[Event, None, Peeked]:
    """By a Glue job, since only Spark reads Iceberg on both targets: a minute on AWS, ten seconds here."""
    from medallion_cli.aws.jobs import run_job
    from medallion_cli.aws.s3 import delete, put_text, read_text

    step = f"silver {asked.table}"
    yield Started(step)
    bucket, token = outputs["ArtifactsBucket"], uuid.uuid4().hex
    wanted = {"table": asked.table, "key": dict(asked.key), "limit": asked.limit}
    put_text(target, bucket, f"verify/{token}/request.json", json.dumps({"peek": wanted}))
    uris = {f"--{k}_uri": f"s3://{bucket}/verify/{token}/{k}.json" for k in ("request", "result")}
    arguments = {**uris, "--run_id": f"peek-{token[:8]}"}
    run_job(target, outputs["ChecksumJob"], arguments, min(settings.poll_seconds, 5) / 2, sleep=time.sleep)
    text = read_text(target, bucket, f"verify/{token}/result.json")
    if text is None:
        raise MedallionError("the job wrote no rows", hint="medallion logs silver")
    documents = [f"verify/{token}/{name}.json" for name in ("request", "result")]
    delete(target, bucket, documents)  # they hold rows
    found = _texts(json.loads(text))
    yield Finished(step, f"{len(found.rows)} rows")
    return found


def _warehouse(warehouse: Warehouse, model: Model, asked: Question) -> Peeked:
    from medallion_cli.merges import quoted
    from medallion_cli.spec import sql_list

    conditions = [f"CAST({quoted(name)} AS VARCHAR) = {sql_list([text])}" for name, text in asked.key.items()]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = ", ".join(quoted(name) for name in model.key)
    relation = f"{asked.layer}.{quoted(model.name)}"
    found = warehouse.read(f"SELECT * FROM {relation}{where} ORDER BY {order} LIMIT {asked.limit}")
    rows = tuple(tuple(map(_plain, row)) for row in found.rows)
    return Peeked(tuple(column.name for column in found.columns), rows)
