"""The project's own state machine, as it goes to AWS, run against scripted services."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from medallion_cli.aws import orchestration
from medallion_cli.local.protocol import ServiceError
from medallion_cli.local.runtime import Credentials, Runtime
from medallion_cli.local.services import stepfunctions

TEMPLATE = Path(__file__).parents[3] / "infra_templates" / "state_machine.yaml"
SILVER = {"run_id": "run-1", "tables": [{"table": "orders", "state": "ok", "error": None}]}
STAGED = {"load_batches": [["DELETE FROM staging.m", "COPY staging.m"]]}
ROWS = [[{"stringValue": "dim_customer"}, *({"longValue": n} for n in (5, 4, 1, 0, 9))]]
STATES = [[{"stringValue": "dim_customer"}, {"longValue": 9}, {"stringValue": "2026-01-01 00:00:00"}]]
POSITIONS = [[{"stringValue": "dim_customer"}, {"stringValue": '{"customers":1}'}, {"stringValue": "hash"}]]


class Warehouse(Runtime):
    """Services that answer like a healthy environment; `change` replaces answers by operation."""

    def __init__(self, state: Path, **change: Any) -> None:
        super().__init__(state, state / "cache", "us-east-1", "http://127.0.0.1:1", Credentials("a", "s"), {})
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.objects = {"bronze_to_silver": SILVER, "silver_to_gold": STAGED}
        self.change = change
        self.services["s3"] = self  # type: ignore[assignment]
        self.statements = 0

    def put_object(self, params: dict[str, Any]) -> dict[str, Any]:
        return self.call("s3", "PutObject", **params)

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.calls.append((operation, params))
        answer = self.change.get(operation, getattr(self, operation, None))
        found = answer(params) if callable(answer) else answer
        if isinstance(found, Exception):
            raise found
        assert found is not None, operation
        return dict(found)

    def ListExecutions(self, _: Any) -> Any:
        return {"executions": []}

    def DescribeReplicationTasks(self, _: Any) -> Any:
        return {"ReplicationTasks": [{"Status": "running"}]}

    def DescribeTableStatistics(self, _: Any) -> Any:
        return {
            "TableStatistics": [
                {"SchemaName": "shop", "TableName": "orders", "TableState": "Table completed"}
            ]
        }

    def DescribeEndpoints(self, _: Any) -> Any:
        return {"Endpoints": [{"S3Settings": {"BucketFolder": "g0001"}}]}

    def StartJobRun(self, _: Any) -> Any:
        return {"JobRunId": "jr"}

    def GetJobRun(self, _: Any) -> Any:
        return {"JobRun": {"JobRunState": "SUCCEEDED"}}

    def GetObject(self, params: Any) -> Any:
        return {"Body": json.dumps(self.objects[Path(params["Key"]).stem]).encode()}

    def PutObject(self, params: Any) -> Any:
        self.objects["summary"] = json.loads(params["Body"])
        return {"ETag": '"e"'}

    def PutMetricData(self, _: Any) -> Any:
        return {}

    def Publish(self, _: Any) -> Any:
        return {"MessageId": "m"}

    def ExecuteStatement(self, params: Any) -> Any:
        return {"Id": "merge" if "CALL" in params["Sql"] else "positions"}

    def BatchExecuteStatement(self, params: Any) -> Any:
        return {"Id": "copy" if "COPY" in str(params["Sqls"]) else "gold"}

    def DescribeStatement(self, params: Any) -> Any:
        self.statements += 1
        return {"Id": params["Id"], "Status": "STARTED" if self.statements == 1 else "FINISHED"}

    def GetStatementResult(self, params: Any) -> Any:
        return {"Records": {"positions": POSITIONS, "gold:1": ROWS, "gold:2": STATES}[params["Id"]]}


def run(state: Path, data: dict[str, Any], **change: Any) -> tuple[Warehouse, dict[str, Any]]:
    warehouse, service, arn = begun(state, data, **change)
    return warehouse, ended(service, arn)


def begun(state: Path, data: dict[str, Any], **change: Any) -> tuple[Warehouse, Any, dict[str, str]]:
    values = {"PollSeconds": "0"}
    text = re.sub(
        r"\$\{(\w+)\}", lambda found: values.get(found[1], found[1]), TEMPLATE.read_text(encoding="utf-8")
    )
    warehouse = Warehouse(state, **change)
    service = stepfunctions.create(warehouse)
    made = {
        "name": "m",
        "definition": json.dumps(yaml.safe_load(text)),
        "roleArn": "arn:aws:iam::000000000000:role/r",
    }
    machine = service.create_state_machine(made)["stateMachineArn"]
    started = {"stateMachineArn": machine, "name": "run-1", "input": json.dumps(data)}
    return warehouse, service, {"executionArn": service.start_execution(started)["executionArn"]}


def ended(service: Any, arn: dict[str, str]) -> dict[str, Any]:
    until = time.monotonic() + 20
    while (found := service.describe_execution(arn))["status"] == "RUNNING":
        assert time.monotonic() < until, service.get_execution_history(arn)["events"][-3:]
        time.sleep(0.02)
    return dict(found)


def arguments(warehouse: Warehouse, job: str) -> dict[str, str]:
    started = [
        params for name, params in warehouse.calls if name == "StartJobRun" and params["JobName"] == job
    ]
    assert len(started) == 1
    return dict(started[0]["Arguments"])


@pytest.mark.parametrize("data", [{}, {"replay": "2026-01-01T00:00:00+00:00", "since": '{"fact_sales":""}'}])
def test_a_replay_is_a_run_whose_jobs_are_told_from_where(tmp_path: Path, data: dict[str, str]) -> None:
    warehouse, found = run(tmp_path, data)
    assert found["status"] == "SUCCEEDED", found
    assert arguments(warehouse, "BronzeToSilverJob")["--replay"] == data.get("replay", "none")
    assert arguments(warehouse, "SilverToGoldJob")["--since"] == data.get("since", "{}")


@pytest.mark.parametrize(
    "data", [{}, {"layers": ["silver", "gold"], "tables": "all", "models": "all", "full": "false"}]
)
def test_a_run_ends_with_a_whole_summary(tmp_path: Path, data: dict[str, Any]) -> None:
    warehouse, found = run(tmp_path, data)
    assert found["status"] == "SUCCEEDED", found
    summary = warehouse.objects["summary"]
    assert summary["silver"] == SILVER
    assert summary["error"] is None
    assert summary["gold"] == [
        {
            "model": "dim_customer",
            "staged_rows": 5,
            "inserted": 4,
            "updated": 1,
            "deleted": 0,
            "rows_after": 9,
        }
    ]
    assert arguments(warehouse, "BronzeToSilverJob")["--loaded"] == "none,shop.orders"
    positions = json.loads(arguments(warehouse, "SilverToGoldJob")["--positions"])
    assert positions == {"dim_customer": {"to": '{"customers":1}', "hash": "hash"}}
    batches = [params["Sqls"] for name, params in warehouse.calls if name == "BatchExecuteStatement"]
    assert batches[0] == STAGED["load_batches"][0]


def test_one_layer_leaves_the_other_alone(tmp_path: Path) -> None:
    warehouse, found = run(tmp_path, {"layers": ["silver"]})
    assert found["status"] == "SUCCEEDED", found
    assert "ExecuteStatement" not in {name for name, _ in warehouse.calls}
    assert warehouse.objects["summary"]["gold"] == []


def test_nothing_staged_loads_nothing(tmp_path: Path) -> None:
    def nothing(params: dict[str, Any]) -> dict[str, Any]:
        empty = "silver_to_gold" in params["Key"]
        return {"Body": json.dumps({"load_batches": []} if empty else SILVER).encode()}

    warehouse, found = run(tmp_path, {"layers": ["gold"]}, GetObject=nothing)
    assert found["status"] == "SUCCEEDED", found
    assert "CALL" not in str([p for n, p in warehouse.calls if n == "ExecuteStatement"])


def test_a_first_run_has_no_positions(tmp_path: Path) -> None:
    rows = {"positions": [], "gold:1": ROWS, "gold:2": STATES}
    warehouse, found = run(
        tmp_path, {"layers": ["gold"]}, GetStatementResult=lambda p: {"Records": rows[p["Id"]]}
    )
    assert found["status"] == "SUCCEEDED", found
    assert arguments(warehouse, "SilverToGoldJob")["--positions"] == "{}"


def test_a_failed_job_is_told_with_its_cause(tmp_path: Path) -> None:
    failed = {"JobRun": {"JobRunState": "FAILED", "ErrorMessage": "orders: no such column"}}
    warehouse, found = run(tmp_path, {}, GetJobRun=failed)
    assert found["status"] == "FAILED"
    assert "no such column" in warehouse.objects["summary"]["error"]["Cause"]
    assert "Publish" in {name for name, _ in warehouse.calls}


def test_a_redriven_run_begins_anew_under_its_own_id(tmp_path: Path) -> None:
    states = ["FAILED", "FAILED", "SUCCEEDED", "SUCCEEDED"]

    def job(_: Any) -> dict[str, Any]:
        return {"JobRun": {"JobRunState": states.pop(0), "ErrorMessage": "no space"}}

    warehouse, service, arn = begun(tmp_path, {}, GetJobRun=job)
    for number in (0, 1):
        found = ended(service, arn)
        assert (found["status"], found["redriveStatus"]) == ("FAILED", "REDRIVABLE")
        told = orchestration._execution(found)
        assert "no space" in told.cause
        assert told.error == warehouse.objects["summary"]["error"]["Error"]
        assert told.redrives == number
        service.redrive_execution(arn)
    found = ended(service, arn)
    assert found["status"] == "SUCCEEDED", found
    assert warehouse.objects["summary"]["run_id"] == "run-1"
    assert warehouse.objects["summary"]["error"] is None
    started = [p["Arguments"]["--run_id"] for name, p in warehouse.calls if name == "StartJobRun"]
    assert started == ["run-1"] * 4


def test_a_redriven_run_gives_way_to_one_that_began_after_it(tmp_path: Path) -> None:
    from datetime import UTC, datetime, timedelta

    failed = {"JobRun": {"JobRunState": "FAILED", "ErrorMessage": "no space"}}
    warehouse, service, arn = begun(tmp_path, {}, GetJobRun=failed)
    ended(service, arn)
    later = {"name": "run-2", "startDate": datetime.now(UTC) + timedelta(seconds=5)}
    warehouse.change["ListExecutions"] = {"executions": [later]}
    service.redrive_execution(arn)
    assert ended(service, arn)["status"] == "FAILED"
    assert warehouse.objects["summary"]["error"]["Error"] == "Medallion.AnotherRun"
    assert [name for name, _ in warehouse.calls].count("StartJobRun") == 1


def test_what_failed_long_ago_is_not_redriven(tmp_path: Path) -> None:
    failed = {"JobRun": {"JobRunState": "FAILED"}}
    _, service, arn = begun(tmp_path, {}, GetJobRun=failed)
    ended(service, arn)
    execution = service._load(arn["executionArn"])
    execution["stopped"] = "2026-01-01T00:00:00+00:00"
    service._save(execution)
    found = service.describe_execution(arn)
    assert (found["redriveStatus"], found["redriveStatusReason"]) == (
        "NOT_REDRIVABLE",
        "Execution redrivable period exceeded",
    )
    with pytest.raises(ServiceError, match="redrivable period exceeded"):
        service.redrive_execution(arn)


@pytest.mark.parametrize(
    ("states", "loaded"),
    [
        (["Table completed", "Full load", "Table completed"], "none"),
        (["Before load", "Table completed", "Table completed"], "none"),
        (["Table completed", "Table error", "Table completed"], "none,shop.t0,shop.t2"),
        (["Table completed", "Table is being reloaded", "Table error"], "none,shop.t0"),
        ([], "none"),
    ],
)
def test_no_table_counts_as_loaded_before_the_last_one_is_and_a_broken_one_holds_up_no_other(
    tmp_path: Path, states: list[str], loaded: str
) -> None:
    tables = [
        {"SchemaName": "shop", "TableName": f"t{number}", "TableState": state}
        for number, state in enumerate(states)
    ]
    warehouse, _ = run(tmp_path, {"layers": ["silver"]}, DescribeTableStatistics={"TableStatistics": tables})
    assert arguments(warehouse, "BronzeToSilverJob")["--loaded"] == loaded
    asked = [name for name, _ in warehouse.calls]
    assert asked.index("DescribeEndpoints") < asked.index("DescribeTableStatistics")


def test_stopped_replication_is_said_with_the_next_command(tmp_path: Path) -> None:
    missing = ServiceError("NoSuchKey", "no such key", 404)
    warehouse, found = run(
        tmp_path,
        {},
        DescribeReplicationTasks={"ReplicationTasks": [{"Status": "stopped"}]},
        GetObject=missing,
    )
    assert found["status"] == "FAILED"
    assert warehouse.objects["summary"]["error"]["Error"] == "Medallion.ReplicationNotRunning"
    assert warehouse.objects["summary"]["silver"] is None


def test_a_run_yields_to_one_that_started_before(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    older = {"executions": [{"name": "run-0", "startDate": datetime(2020, 1, 1, tzinfo=UTC)}]}
    warehouse, found = run(tmp_path, {}, ListExecutions=older)
    assert json.loads(found["output"]) == {"status": "skipped"}
    assert {name for name, _ in warehouse.calls} == {"ListExecutions"}


def test_housekeeping_waits_for_other_runs_and_is_told_what_gold_reads(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    earlier = {"name": "run-0", "startDate": datetime(2020, 1, 1, tzinfo=UTC)}
    answers = [[earlier], [earlier], []]
    warehouse, found = run(
        tmp_path,
        {"layers": ["housekeeping"], "tables": "all"},
        ListExecutions=lambda _: {"executions": answers.pop(0)},
    )
    assert found["status"] == "SUCCEEDED", found
    given = arguments(warehouse, "HousekeepingJob")
    assert json.loads(given["--positions"]) == {"dim_customer": {"to": '{"customers":1}', "hash": "hash"}}
    assert [name for name, _ in warehouse.calls].count("StartJobRun") == 1, "no layer is run"
    assert warehouse.objects["summary"]["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("layers", "told"), [(["silver", "gold"], 1), (["gold"], 1), (["silver"], 0), (["housekeeping"], 0)]
)
def test_loaded_gold_is_a_metric_and_nothing_else_is(tmp_path: Path, layers: list[str], told: int) -> None:
    """The alarm on stale gold counts them: runs that load none, or give way to another, tell none."""
    warehouse, found = run(tmp_path, {"layers": layers})
    put = [params for name, params in warehouse.calls if name == "PutMetricData"]
    assert found["status"] == "SUCCEEDED", found
    assert [one["MetricData"][0]["MetricName"] for one in put] == ["GoldLoaded"] * told


def test_a_run_that_gives_way_tells_no_fresh_gold(tmp_path: Path) -> None:
    earlier = {"executions": [{"name": "run-0", "startDate": "2026-01-01T00:00:00Z", "status": "RUNNING"}]}
    warehouse, _ = run(tmp_path, {}, ListExecutions=earlier)
    assert "PutMetricData" not in [name for name, _ in warehouse.calls]


def test_a_metric_that_cannot_be_told_fails_no_run(tmp_path: Path) -> None:
    fault = ServiceError("InternalServiceFault", "no", 500)
    _, found = run(tmp_path, {}, PutMetricData=fault)
    assert (found["status"], json.loads(found["output"])) == ("SUCCEEDED", {"status": "succeeded"})
