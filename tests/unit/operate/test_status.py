"""Status shows every broken situation that doctor names, but for a table that is dropped before replication has seen it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from test_doctor import BROKEN, FOUND, Watched, look

from medallion_cli.errors import AwsError
from medallion_cli.operations.doctor.diagnose import quick
from medallion_cli.operations.status import status
from medallion_cli.spec import Pipeline

LATER = "a table was dropped at the source"  # shown once replication has counted the statement


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.mark.parametrize("situation", BROKEN)
def test_what_doctor_names_is_shown(situation: str, watched: Watched, pipeline: Pipeline) -> None:
    breaks, code, _ = BROKEN[situation]
    breaks(watched)
    shown = {one.code for one in quick(look(watched, pipeline))}
    assert (code in shown) == (situation != LATER), shown


def test_layers_are_listed_in_the_order_of_the_specification(watched: Watched, pipeline: Pipeline) -> None:
    watched.tables = list(reversed(watched.tables))
    found = status(look(watched, pipeline))
    assert found.healthy
    bronze, silver, gold = ([one["table"] for one in layer["tables"]] for layer in found.layers)
    assert silver == [table.name for table in pipeline.tables]
    assert bronze == [name for name in silver if name in bronze]
    assert gold == [model.name for model in pipeline.models]


CALLS = (
    "cloudformation.describe_stacks", "cloudwatch.get_metric_statistics", "dms.describe_account_attributes",
    "dms.describe_endpoints", "dms.describe_replication_instances", "dms.describe_replication_tasks",
    "dms.describe_table_statistics", "lambda.invoke", "rds.describe_db_instances",
    "redshift-serverless.get_workgroup", "s3.get_object", "s3.list_objects_v2", "scheduler.get_schedule",
    "ssm.get_parameter", "stepfunctions.describe_execution", "stepfunctions.list_executions",
)  # fmt: skip


@pytest.mark.parametrize("refused", CALLS)
def test_a_call_that_is_refused_costs_only_its_part_of_the_screen(
    refused: str, watched: Watched, pipeline: Pipeline
) -> None:
    watched.refusals[refused] = AwsError("AccessDenied", "not you", hint="ask for it")
    found = status(look(watched, pipeline))
    assert [len(layer["tables"]) > 0 for layer in found.layers] == [True] * 3
    (told,) = (one for one in found.findings if "not you" in one.evidence)
    assert told.code == ("MED-SRC-002" if refused == "lambda.invoke" else "MED-ENV-013")
    assert json.dumps(found.document)


@pytest.mark.parametrize("output", FOUND)
def test_an_output_that_is_gone_costs_only_its_part_of_the_screen(
    output: str, watched: Watched, pipeline: Pipeline
) -> None:
    """Somebody deleted the stack that gives it."""
    without = replace(look(watched, pipeline), outputs={k: v for k, v in FOUND.items() if k != output})
    assert [len(layer["tables"]) > 0 for layer in status(without).layers] == [True] * 3


def test_without_replication_and_warehouse_what_is_known_is_shown(
    watched: Watched, pipeline: Pipeline
) -> None:
    watched.stacks = {
        k: v for k, v in watched.stacks.items() if k not in ("shop-replication", "shop-warehouse")
    }
    kept = {
        k: v for k, v in FOUND.items() if not k.startswith(("Replication", "TargetEndpoint", "Workgroup"))
    }
    found = status(replace(look(watched, pipeline), outputs=kept))
    assert not found.healthy
    assert [one.where for one in found.findings if one.code == "MED-ENV-009"] == ["replication", "warehouse"]
    bronze, silver, _ = (layer["tables"] for layer in found.layers)
    assert {one["state"] for one in bronze} == {"unknown"}
    assert next(one["rows"] for one in silver if one["table"] == "orders") == 5
    assert found.last_run is not None
    assert (
        next(one for one in found.engines if one.engine == "warehouse").state
        == "no stack gives 'WorkgroupName'"
    )


def judged(aws: Watched, pipeline: Pipeline) -> dict[str, tuple[str, int | None]]:
    """(freshness, seconds behind) by layer and table."""
    found = status(look(aws, pipeline)).layers
    return {
        f"{layer['layer']} {one['table']}": (one["freshness"], one["behind_seconds"])
        for layer in found
        for one in layer["tables"]
    }


def test_what_was_loaded_and_waits_for_nothing_is_fresh(watched: Watched, pipeline: Pipeline) -> None:
    found = judged(watched, pipeline)
    assert [found[name] for name in ("bronze orders", "silver orders", "gold fact_sales")] == [
        ("fresh", 0)
    ] * 3
    assert status(look(watched, pipeline)).healthy


def test_what_was_never_loaded_is_not_fresh(watched: Watched, pipeline: Pipeline) -> None:
    found = judged(watched, pipeline)
    assert found["silver brands"] == found["gold dim_product"] == ("unknown", None)
    watched.silver = {"state": "failed", "error": "boom"}
    assert judged(watched, pipeline)["silver orders"] == ("unknown", None)


def test_nothing_is_fresh_while_nobody_knows_how_far_replication_is(
    watched: Watched, pipeline: Pipeline
) -> None:
    watched.task, watched.message = "failed", "Last Error no memory"
    found = judged(watched, pipeline)
    assert {state for state, _ in found.values()} == {"unknown"}
    assert set(status(look(watched, pipeline)).lag.values()) == {None, 0}
    assert status(look(watched, pipeline)).lag["total_seconds"] is None


def test_what_waits_is_stale_whatever_replication_does(watched: Watched, pipeline: Pipeline) -> None:
    breaks, _, _ = BROKEN["a change waits for two days"]
    breaks(watched)
    watched.latency = None
    assert judged(watched, pipeline)["silver orders"][0] == "stale"
    breaks, _, _ = BROKEN["a change waits for two hours"]
    breaks(watched)
    watched.files = {name: (key, watched.now) for name, (key, _) in watched.files.items()}
    assert judged(watched, pipeline)["silver orders"] == ("unknown", 0)


def test_a_table_that_dms_has_given_up_gets_old(watched: Watched, pipeline: Pipeline) -> None:
    watched.tables = [("shop", "orders", "Table error", 5)]
    watched.changed = watched.now - timedelta(days=3)
    found = judged(watched, pipeline)
    assert [found[name][0] for name in ("bronze orders", "silver orders", "gold fact_sales")] == ["stale"] * 3
