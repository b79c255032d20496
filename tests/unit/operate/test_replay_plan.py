"""`replay` and `replicate reload --table`: what they say that they read and touch, what they ask of AWS, what they refuse."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from clock import Clock, stopped
from fake_environment import OUTPUTS, Document, Environment

from medallion_cli.assets import Assets
from medallion_cli.errors import AwsError, MedallionError, UsageError
from medallion_cli.operations import generations, merge, reload, replay, replicate, source_database
from medallion_cli.spec import Pipeline, load_pipeline

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUNS = ["run-20260101T110000Z-aaaa", "run-20260101T120000Z-bbbb", "run-20260101T130000Z-cccc"]


class Bronze(Environment):
    """Objects with the moment in which they were written, and step files of three runs."""

    def __init__(self, tables: list[str], *states: str) -> None:
        super().__init__()
        self.bronze: dict[str, datetime] = {}
        for number, (run, state) in enumerate(zip(RUNS, states or ("ok",) * 3, strict=True), -1):
            step = {
                "started_at": (NOON + timedelta(hours=number)).isoformat(),
                "tables": [{"table": table, "state": state} for table in tables],
            }
            self.objects[f"runs/{run}/bronze_to_silver.json"] = json.dumps(step)

    def _list_objects_v2(self, given: Document) -> Document:
        if given["Bucket"] == "artifacts":
            return {"CommonPrefixes": [{"Prefix": f"runs/{run}/"} for run in RUNS]}
        if given.get("Delimiter"):
            return {"CommonPrefixes": [{"Prefix": f"{g}/"} for g in sorted({k[:5] for k in self.bronze})]}
        found = [k for k in sorted(self.bronze) if k.startswith(given["Prefix"])]
        return {"Contents": [{"Key": k, "Size": 10, "LastModified": self.bronze[k]} for k in found]}


class Warehouse:
    """Answers one statement; keeps what was asked."""

    def __init__(self, *rows: tuple[Any, ...]) -> None:
        self.found, self.asked = rows, list[tuple[str, Any]]()

    def execute(self, sql: str, params: Any = None) -> Any:
        self.asked.append((sql, params))
        return SimpleNamespace(rows=list(self.found))


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(Assets.find())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped(monkeypatch, replicate, source_database, generations)


@pytest.fixture
def plan(pipeline: Pipeline) -> Callable[..., replay.ReplayPlan]:
    def made(target: Any, text: str, *rows: tuple[Any, ...], **more: Any) -> replay.ReplayPlan:
        warehouse: Any = Warehouse(*rows)
        begin = replay.origin(target, OUTPUTS, text)
        return replay.plan(target, OUTPUTS, pipeline, warehouse, begin, **more)

    return made


def bronze(pipeline: Pipeline, *states: str) -> Bronze:
    return Bronze([table.name for table in pipeline.tables], *states)


def files(target: Bronze, schema: str, *names: tuple[str, float]) -> None:
    """(generation/file, hours after noon)."""
    for name, hours in names:
        generation, _, file = name.partition("/")
        target.bronze[f"{generation}/{schema}/orders/{file}.parquet"] = NOON + timedelta(hours=hours)


def test_a_run_is_replayed_from_where_the_run_before_it_began(pipeline: Pipeline, plan: Any) -> None:
    target = bronze(pipeline)
    files(
        target, pipeline.table("orders").schema, ("g0001/LOAD1", -9), ("g0001/2026", -2), ("g0001/2027", 0.5)
    )
    found = plan(target, RUNS[2], ("fact_sales", '{"orders":1}'), ("fact_sales", '{"orders":2}'))
    assert found.since == NOON.isoformat()
    assert [(r.files, r.bytes) for r in found.reads if r.table == "orders"] == [(1, 10)]
    assert {"orders", "orders_changes"} <= set(found.touches)
    assert found.models["fact_sales"] == "keys touched since"
    assert found.models["dim_customer"] == "what differs"
    assert found.run.input["replay"] == NOON.isoformat()
    assert json.loads(str(found.run.input["since"])) == {"fact_sales": '{"orders":1}'}, "its first merge"
    assert found.run.input["full"] == "false"


@pytest.mark.parametrize("states", [("failed", "failed", "ok"), ("ok", "failed", "ok")])
def test_a_run_before_it_that_failed_may_have_left_files_to_it(
    pipeline: Pipeline, plan: Any, states: tuple[str, ...]
) -> None:
    since = plan(bronze(pipeline, *states), RUNS[2], layer="silver").since
    assert since == ((NOON - timedelta(hours=1)).isoformat() if states[0] == "ok" else "all")


def test_with_a_file_of_a_full_load_everything_from_its_folder_on(pipeline: Pipeline, plan: Any) -> None:
    target = bronze(pipeline)
    schema = pipeline.table("orders").schema
    files(target, schema, ("g0001/LOAD1", -9), ("g0002/2026", -5), ("g0002/LOAD1", 1), ("g0003/2026", -3))
    found = plan(target, "2026-01-01T12:30", layer="silver", table="orders")
    assert [(r.table, r.files) for r in found.reads] == [("orders", 3)]
    assert "since" not in found.run.input


def test_everything_is_gold_in_full(pipeline: Pipeline, plan: Any) -> None:
    found = plan(bronze(pipeline), "all", layer="gold", table="orders")
    assert found.run.input["full"] == "true"
    assert found.run.input["layers"] == ["gold"]
    assert set(found.models.values()) == {"in full"}
    assert set(found.models) < {model.name for model in pipeline.models}
    assert found.reads == ()


@pytest.mark.parametrize(
    ("text", "layer", "told"),
    [
        ("run-20200101T000000Z-aaaa", None, "no run"),
        ("yesterday", None, "neither a run nor a time"),
        ("2099-01-01", None, "not there yet"),
        ("all", "bronze", "no layer 'bronze' to replay"),
    ],
)
def test_what_is_no_place_to_begin_is_wrong_usage(
    pipeline: Pipeline, plan: Any, text: str, layer: str | None, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        plan(bronze(pipeline), text, layer=layer)


def test_a_table_goes_to_a_folder_of_its_own_and_a_document_says_so(clock: Clock) -> None:
    target: Any = Environment()
    steps = reload.reload_tables(target, OUTPUTS, target.settings, ["shop.orders"])
    for _ in steps:
        loading = [t for t in target.tables if t[2] == "Table is being reloaded"]
        if target.reloads and loading:
            assert not json.loads(target.objects["generations/g0002.json"])["loaded"]
            target.tables = [(s, t, "Table completed", n) for s, t, _, n in target.tables]
    assert (target.generation, target.reloads) == ("g0002", ["shop.orders"])
    assert target.starts == ["resume-processing"], "the others go on where they were"
    assert json.loads(target.objects["generations/g0002.json"]) == {"tables": ["shop.orders"], "loaded": True}
    assert not any(generations.MARK in name for name in target.parameters)


def test_one_that_was_cut_off_before_dms_was_told_is_finished_by_the_next_start(clock: Clock) -> None:
    target: Any = Environment()
    for _ in reload.reload_tables(target, OUTPUTS, target.settings, ["shop.orders"]):
        if target.generation == "g0002":
            break
    assert target.reloads == []
    for _ in replicate.start(target, OUTPUTS, target.settings):
        if target.reloads:
            target.tables = [(s, t, "Table completed", n) for s, t, _, n in target.tables]
    assert target.reloads == ["shop.orders"]
    assert json.loads(target.objects["generations/g0002.json"])["loaded"]


def test_one_that_was_cut_off_after_dms_was_told_is_not_told_again(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    target: Any = Environment()
    with monkeypatch.context() as killed:
        killed.setattr(generations, "_await_begun", lambda *_: sys.exit("killed"))
        with pytest.raises(SystemExit):
            list(reload.reload_tables(target, OUTPUTS, target.settings, ["shop.orders"]))
    assert target.reloads == ["shop.orders"]
    for _ in replicate.start(target, OUTPUTS, target.settings):
        target.tables = [(s, t, "Table completed", n) for s, t, _, n in target.tables]
    assert target.reloads == ["shop.orders"]
    assert not any(generations.MARK in name for name in target.parameters)


def test_a_task_that_is_behind_writes_the_rest_into_the_old_folder_first(clock: Clock) -> None:
    target: Any = Environment()
    target.task = "stopped"
    for _ in reload.reload_tables(target, OUTPUTS, target.settings, ["shop.orders"]):
        if target.reloads:
            target.tables = [(s, t, "Table completed", n) for s, t, _, n in target.tables]
    assert target.starts == ["resume-processing"] * 2
    assert [key.split("/")[0] for key in target.objects if "heartbeat" in key] == ["g0001"]


def test_a_reload_of_all_after_one_of_a_table_that_was_cut_off_is_of_all(clock: Clock) -> None:
    target: Any = cut_off()
    list(replicate.reload(target, OUTPUTS, target.settings))
    assert json.loads(target.objects["generations/g0002.json"]) == {"tables": None, "loaded": True}
    list(replicate.start(target, OUTPUTS, target.settings))
    assert (target.starts[-1], target.reloads) == ("reload-target", [])


def test_one_that_never_came_to_its_folder_leaves_no_document(clock: Clock) -> None:
    target: Any = cut_off()
    for _ in replicate.start(target, OUTPUTS, target.settings):
        pass
    assert (target.generation, target.reloads) == ("g0001", [])
    assert [key for key in target.objects if key.startswith("generations/")] == ["generations/g0001.json"]
    assert not any(generations.MARK in name for name in target.parameters)


def test_a_new_task_loads_all_tables_whatever_its_folder_was_meant_for(clock: Clock) -> None:
    target: Any = cut_off()
    target.generation, target.started, target.task = "g0002", False, "ready"
    for _ in replicate.start(target, OUTPUTS, target.settings):
        assert target.starts == [] or json.loads(target.objects["generations/g0002.json"])["tables"] is None
    assert (target.starts, target.reloads) == (["start-replication"], [])
    assert json.loads(target.objects["generations/g0002.json"]) == {"tables": None, "loaded": True}


def cut_off() -> Environment:
    """A reload of one table that ended before DMS was pointed to the new folder."""
    target: Any = Environment()
    target.refusals["dms.modify_endpoint"] = AwsError("AccessDenied", "no")
    with pytest.raises(AwsError):
        list(reload.reload_tables(target, OUTPUTS, target.settings, ["shop.orders"]))
    assert json.loads(target.objects["generations/g0002.json"])["tables"] == ["shop.orders"]
    target.refusals.clear()
    target.starts.clear()
    return target


def test_no_more_tables_than_dms_loads_beside_others(pipeline: Pipeline) -> None:
    target: Any = Environment()
    many = dataclasses.replace(
        pipeline, tables=tuple(dataclasses.replace(pipeline.tables[0], name=f"t{n}") for n in range(11))
    )
    names = [table.name for table in many.tables]
    with pytest.raises(UsageError, match="at most 10 tables") as refused:
        reload.plan(target, OUTPUTS, many, names)
    assert refused.value.hint == "medallion replicate reload --yes"
    assert len(reload.plan(target, OUTPUTS, many, names[:10]).tables) == 10
    assert reload.plan(target, OUTPUTS, many, []).whole


def test_a_reload_of_all_that_was_begun_comes_first(clock: Clock) -> None:
    target: Any = Environment()
    target.parameters["/shop/applied/reloading"] = "g0002"
    with pytest.raises(MedallionError, match="a reload of all tables was begun"):
        list(reload.reload_tables(target, OUTPUTS, target.settings, ["shop.orders"]))


@pytest.mark.parametrize("stands", ['{"orders":3}', None])
def test_a_run_that_gold_has_gone_past_is_refused_before_anything_is_copied(stands: str | None) -> None:
    warehouse: Any = Warehouse(*([("fact_sales", stands)] if stands else []))
    step = {"run_id": RUNS[0], "models": [{"model": "fact_sales", "from": '{"orders":1}', "hash": "h"}]}
    with pytest.raises(MedallionError, match="gold has moved on since") as refused:
        merge._refuse_late(warehouse, step, set(), None)
    assert refused.value.hint == "medallion run --layer gold"
    merge._refuse_late(warehouse, step, {"fact_sales"}, None)
    merge._refuse_late(warehouse, step, set(), "dim_customer")
