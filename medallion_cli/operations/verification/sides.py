"""The three engines that a verification asks: the source behind its Lambda, Spark in a Glue job, the warehouse."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli.canonical import cells_select, checksum_select, digests_select
from medallion_cli.errors import MedallionError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Model, Pipeline

LARGEST_SQL = 90_000  # bytes; the Data API takes 100 KB
Answer = dict[str, Any]


class SourceSide:
    """The source; each answer is exact at a heartbeat of its own."""

    def __init__(self, target: Target, outputs: dict[str, str]) -> None:
        from medallion_cli.aws.source import Source

        self.source = Source(target, outputs["SourceFunctionName"])

    def checksums(self, tables: Sequence[str], token: str) -> Answer:
        """Rows and checksum by table, and the heartbeat."""
        found = self.source.call("checksums", tables=list(tables), token=token)
        return {**found, "tables": {n: counted(found["tables"][n]) for n in tables}}

    def digests(self, table: str, digits: int, prefixes: Sequence[str], token: str) -> dict[str, str]:
        """Checksums by bucket."""
        asked = {"table": table, "digits": digits, "prefixes": list(prefixes), "token": token}
        found: dict[str, str] = self.source.call("digests", **asked)["digests"]
        return found

    def cells(self, table: str, prefixes: Sequence[str], token: str) -> list[Any]:
        """Key texts and column hashes of the rows in some buckets."""
        found: list[Any] = self.source.call("cells", table=table, prefixes=list(prefixes), token=token)[
            "rows"
        ]
        return found


@dataclass(frozen=True)
class SparkSide:
    """Silver, and gold's models evaluated over it: one job a request."""

    target: Target
    outputs: dict[str, str]
    settings: Settings

    def answer(self, request: Answer, files: dict[str, Answer] | None = None) -> Answer:
        """The result of a request; `files` go beside it under their names, as `uri(name)` says."""
        from medallion_cli.aws import s3
        from medallion_cli.aws.jobs import run_job

        token = uuid.uuid4().hex
        bucket, prefix = self.outputs["ArtifactsBucket"], f"verify/{token}"
        text = json.dumps(request).replace(HERE, f"s3://{bucket}/{prefix}")
        for name, document in (files or {}).items():
            s3.put_text(self.target, bucket, f"{prefix}/{name}.json", json.dumps(document))
        s3.put_text(self.target, bucket, f"{prefix}/request.json", text)
        arguments = {f"--{n}_uri": f"s3://{bucket}/{prefix}/{n}.json" for n in ("request", "result")}
        arguments["--run_id"] = f"verify-{token[:8]}"
        pause = min(self.settings.poll_seconds, 5) / 4
        run_job(self.target, self.outputs["ChecksumJob"], arguments, pause, sleep=time.sleep)
        found = s3.read_text(self.target, bucket, f"{prefix}/result.json")
        if found is None:
            raise MedallionError("the checksum job wrote no result", hint="medallion status")
        names = [*(files or {}), "request", "result"]
        s3.delete(self.target, bucket, [f"{prefix}/{name}.json" for name in names])  # they hold keys and rows
        answer: Answer = json.loads(found)
        return answer


HERE = "s3://here"


def uri(name: str) -> str:
    """Where a file beside a request is, for the request."""
    return f"{HERE}/{name}.json"


@dataclass(frozen=True)
class GoldSide:
    """Gold, and what its aggregates should hold."""

    warehouse: Warehouse
    pipeline: Pipeline

    def checksums(self, models: Sequence[Model]) -> tuple[dict[str, Answer], dict[str, Answer]]:
        """(gold with its `position`, expected of aggregates) by model, of one moment as far as one statement holds it."""
        gold: dict[str, Answer] = {}
        expected: dict[str, Answer] = {}
        for statement in self._statements(models):
            rows = self.warehouse.execute(statement).rows
            at = {str(model): text and str(text) for what, model, _, text in rows if what == "position"}
            for what, model, count, text in rows:
                entry = {"rows": int(str(count)), "checksum": str(text)}
                if what == "gold":
                    gold[str(model)] = {**entry, "position": at.get(str(model))}
                elif what == "expected":
                    expected[str(model)] = entry
        return gold, expected

    def _statements(self, models: Sequence[Model]) -> Iterator[str]:
        """Checksums of several models a statement, with gold's positions: one snapshot for all in it."""
        positions = (
            "SELECT 'position' AS what, model, 0 AS row_count, to_position AS checksum FROM etl.position"
        )
        parts: list[str] = []
        for part in (part for model in models for part in self._parts(model)):
            if parts and sum(map(len, parts)) + len(part) > LARGEST_SQL:
                yield " UNION ALL ".join([*parts, positions])
                parts = []
            parts.append(part)
        yield " UNION ALL ".join([*parts, positions])

    def _parts(self, model: Model) -> Iterator[str]:
        texts = [column.canonical["redshift"] for column in model.checked]
        for what, relation in self._relations(model):
            found = checksum_select("redshift", relation, texts)
            yield f"SELECT '{what}' AS what, '{model.name}' AS model, row_count, checksum FROM ({found}) {what}_{model.name}"

    def _relations(self, model: Model) -> Iterator[tuple[str, str]]:
        yield "gold", f'gold."{model.name}"'
        if not model.staged:
            yield "expected", evaluated(model)

    def digests(self, model: Model, relation: str, digits: int, prefixes: Sequence[str]) -> dict[str, str]:
        """Checksums by bucket of a relation in the shape of a model."""
        key, texts = self._texts(model)
        sql = digests_select("redshift", relation, key, texts, digits, prefixes)
        return {str(bucket): str(checksum) for bucket, checksum in self.warehouse.execute(sql).rows}

    def cells(self, model: Model, relation: str, prefixes: Sequence[str]) -> list[Any]:
        """Key texts and column hashes of the rows in some buckets."""
        key, texts = self._texts(model)
        sql = cells_select("redshift", relation, key, texts, prefixes)
        return [[[str(k) for k in row[:-1]], str(row[-1])] for row in self.warehouse.execute(sql).rows]

    def _texts(self, model: Model) -> tuple[list[str], list[str]]:
        known = {column.name: column.canonical["redshift"] for column in model.checked}
        return [known[name] for name in identity(model)], list(known.values())

    def positions(self) -> dict[str, str | None]:
        """The position that each model has reached now."""
        rows = self.warehouse.execute("SELECT model, to_position FROM etl.position").rows
        return {str(model): None if at is None else str(at) for model, at in rows}

    def unmerged(self) -> dict[str, str]:
        """The run that each model was staged by and that was not merged."""
        sql = (
            "SELECT s.model, s.run_id FROM etl.staged s LEFT JOIN etl.load l"
            " ON l.run_id = s.run_id AND l.model = s.model AND l.to_position = s.to_position WHERE l.run_id IS NULL"
        )
        return {str(model): str(run) for model, run in self.warehouse.execute(sql).rows}


def identity(model: Model) -> tuple[str, ...]:
    """What makes a gold row one: the model's key, and the version in a history."""
    return (*model.key, "version") if model.kind == "scd2" else model.key


def evaluated(model: Model) -> str:
    """The relation that a refresh model's table should be."""
    names = ", ".join(f'"{column.name}"' for column in model.checked)
    return f"(SELECT {names} FROM ({model.select}) computed) evaluated"


def counted(entry: Answer) -> Answer:
    """Rows and checksum of an answer."""
    return {"rows": int(entry["rows"]), "checksum": str(entry["checksum"])}
