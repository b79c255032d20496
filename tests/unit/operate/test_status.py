"""Status shows every broken situation that doctor names, but for a table that is dropped before replication has seen it."""

from __future__ import annotations

import json
from dataclasses import replace

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
