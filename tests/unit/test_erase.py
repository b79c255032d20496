"""Erasing: refuses while the source has the row, ledger before rows, and what was interrupted goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medallion_cli.assets import Assets
from medallion_cli.aws import s3
from medallion_cli.aws.source import Source
from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.operations import erase as erasing
from medallion_cli.operations import run as runs
from medallion_cli.settings import Settings
from medallion_cli.spec import Pipeline, load_pipeline

OUTPUTS = {
    "ArtifactsBucket": "artifacts",
    "BronzeBucket": "bronze",
    "StagingBucket": "staging",
    "SourceFunctionName": "source",
    "EraseJob": "erase",
}
LEDGER = "artifacts/erasures/customers.json"
FILES = ["g0001/shop/customers/LOAD00000001.parquet", "g0002/shop/customers/2026/a.parquet"]


@dataclass
class World:
    """One person in every layer; `log` is what was done, in order."""

    objects: dict[str, str] = field(default_factory=dict)
    at_source: bool = False
    live: int = 0
    silver: int = 2
    gold: int = 1
    dies_in: str = ""
    log: list[str] = field(default_factory=list)

    def did(self, what: str) -> None:
        self.log.append(what)
        if what == self.dies_in:
            raise KeyboardInterrupt

    def job(self, *given: Any) -> dict[str, Any]:
        mode = given[-1]
        self.did(f"job {mode}")
        if mode == "erase":
            self.silver = 0
        files = FILES if self.silver else []
        return {
            "key_hash": "hash", "rows": {"customers_changes": self.silver, "customers": 0}, "live": self.live,
            "files": files, "emptied": files[1:], "generation": "g0002", "seq": "9", "named_by": {"orders": 3},
        }  # fmt: skip

    def run(self, *given: Any) -> Iterator[None]:
        plan = given[-1]
        self.did(f"run {','.join(plan.layers)}")
        if plan.layers == ("gold",):
            self.gold = 0
        yield from ()

    def execute(self, sql: str, params: Any = None) -> Any:
        self.did(sql.split(" gold.")[0])
        return SimpleNamespace(rows=((self.gold,),))

    def batch(self, sqls: list[str]) -> None:
        self.did("staging tables")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(
        {
            **{f"bronze/{file}": "" for file in FILES},
            "staging/run-1/dim_customer/0.parquet": "",
            "staging/run-1/dim_customer.manifest": "",
            "staging/run-1/fact_sales/0.parquet": "",
        }
    )
    objects = made.objects
    monkeypatch.setattr(erasing, "_job", made.job)
    monkeypatch.setattr(runs, "run", made.run)
    monkeypatch.setattr(runs, "idle", lambda *_: iter(()))
    monkeypatch.setattr(Source, "__init__", lambda *_: None)
    row = lambda *_, **__: {"row": {"customer_id": 42} if made.at_source else None}  # noqa: E731
    monkeypatch.setattr(Source, "call", row)
    monkeypatch.setattr(s3, "exists", lambda _, bucket, key: f"{bucket}/{key}" in objects)
    monkeypatch.setattr(s3, "read_text", lambda _, bucket, key: objects.get(f"{bucket}/{key}"))
    monkeypatch.setattr(
        s3, "put_text", lambda _, bucket, key, text: objects.update({f"{bucket}/{key}": text})
    )
    monkeypatch.setattr(s3, "folders", lambda *_: ["g0001", "g0002"])
    monkeypatch.setattr(s3, "began", lambda *_: datetime(2026, 11, 1, tzinfo=UTC))
    monkeypatch.setattr(
        s3, "keys", lambda _, bucket: [k[len(bucket) + 1 :] for k in objects if k.startswith(bucket)]
    )
    monkeypatch.setattr(
        s3, "delete", lambda _, bucket, names: len([objects.pop(f"{bucket}/{n}") for n in names])
    )
    return made


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(Assets.find(Path(__file__).resolve().parents[2]))


def finished(steps: Any) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def where(world: World, pipeline: Pipeline) -> tuple[Any, ...]:
    return (None, OUTPUTS, Settings(env="dev"), pipeline, world)


def look(world: World, pipeline: Pipeline) -> erasing.Erasure:
    table = pipeline.table("customers")
    found: erasing.Erasure = finished(erasing.look(*where(world, pipeline), table, {"customer_id": "42"}))
    return found


def erase(world: World, pipeline: Pipeline) -> Any:
    return finished(erasing.erase(*where(world, pipeline), look(world, pipeline)))


def ledger(world: World) -> dict[str, Any]:
    (entry,) = json.loads(world.objects[LEDGER])["erased"]
    return dict(entry)


def test_what_is_touched_and_what_stays_is_said_before_anything_changes(
    world: World, pipeline: Pipeline
) -> None:
    plan = look(world, pipeline)
    assert plan.gold == {"dim_customer": 1}
    assert plan.staged == ["run-1/dim_customer/0.parquet", "run-1/dim_customer.manifest"]
    assert plan.bronze == FILES
    assert plan.kept_until == {"g0001": "2027-01-30", "g0002": None}
    assert plan.named_by == {"orders": 3}
    assert LEDGER not in world.objects
    assert not plan.is_done


def test_the_ledger_comes_before_the_rows_and_gold_is_evaluated_last(
    world: World, pipeline: Pipeline
) -> None:
    assert erase(world, pipeline) == {"dim_customer": 0}
    assert world.log[world.log.index("job erase") :] == [
        "job erase",
        "staging tables",
        "run gold",
        "VACUUM DELETE ONLY",
        "SELECT COUNT(*) FROM",
    ]
    entry = ledger(world)
    assert entry | {"at": ""} == {
        "key": "hash", "generation": "g0002", "seq": "9", "at": "", "done": True,
        "files": FILES, "emptied": FILES[1:],
    }  # fmt: skip
    assert "staging/run-1/fact_sales/0.parquet" in world.objects
    assert "staging/run-1/dim_customer/0.parquet" not in world.objects
    assert "42" not in world.objects[LEDGER].replace(entry["at"], "")
    assert look(world, pipeline).is_done


@pytest.mark.parametrize("dies_in", ["job erase", "staging tables", "run gold", "VACUUM DELETE ONLY"])
def test_what_was_interrupted_is_finished_by_the_same_command(
    world: World, pipeline: Pipeline, dies_in: str
) -> None:
    world.dies_in = dies_in
    with pytest.raises(KeyboardInterrupt):
        erase(world, pipeline)
    assert not ledger(world)["done"]
    world.dies_in = ""
    plan = look(world, pipeline)
    assert not plan.is_done
    assert plan.bronze == FILES, "known from the ledger, though silver has forgotten"
    finished(erasing.erase(*where(world, pipeline), plan))
    assert ledger(world)["done"]
    assert ledger(world)["emptied"] == FILES[1:]
    assert (world.silver, world.gold) == (0, 0)


def test_a_row_that_the_source_has_is_refused(world: World, pipeline: Pipeline) -> None:
    world.at_source = True
    with pytest.raises(MedallionError, match="still at the source") as refused:
        look(world, pipeline)
    assert "delete" in str(refused.value)
    assert world.log == []


def test_a_row_that_came_back_while_somebody_answered_is_refused(world: World, pipeline: Pipeline) -> None:
    plan = look(world, pipeline)
    world.at_source = True
    with pytest.raises(MedallionError, match="still at the source"):
        finished(erasing.erase(*where(world, pipeline), plan))
    assert LEDGER not in world.objects


def test_a_delete_that_has_not_arrived_is_waited_for(world: World, pipeline: Pipeline) -> None:
    world.live = 1
    with pytest.raises(MedallionError, match="not from silver yet"):
        look(world, pipeline)


@pytest.mark.parametrize(
    ("table", "text", "key"),
    [
        ("customers", "42", {"customer_id": "42"}),
        ("customers", "customer_id=42", {"customer_id": "42"}),
        ("order_items", "7,2", {"order_id": "7", "line_no": "2"}),
        ("order_items", "line_no=2, order_id=7", {"order_id": "7", "line_no": "2"}),
    ],
)
def test_a_key_is_read_as_people_write_it(
    pipeline: Pipeline, table: str, text: str, key: dict[str, str]
) -> None:
    assert erasing.parse_key(pipeline.table(table), text) == key


@pytest.mark.parametrize(
    ("table", "text"),
    [("order_items", "7"), ("order_items", "order_id=7"), ("customers", ""), ("order_items", "1,2,3")],
)
def test_a_key_that_is_not_whole_is_refused(pipeline: Pipeline, table: str, text: str) -> None:
    with pytest.raises(UsageError, match="the key is"):
        erasing.parse_key(pipeline.table(table), text)
