"""Every operation of the product that calls AWS, run as the commands run it, with the names that real templates give."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from offline_aws import OfflineAws

from medallion_cli.assets import Assets
from medallion_cli.aws.session import Target
from medallion_cli.errors import AwsError
from medallion_cli.operations.package import Package
from medallion_cli.settings import Settings
from medallion_cli.spec import Pipeline


@dataclass(frozen=True)
class World:
    """An environment as the templates make it, and nobody behind it."""

    settings: Settings
    outputs: dict[str, str]
    package: Package
    pipeline: Pipeline
    assets: Assets

    def target(self, **answers: Any) -> Target:
        """Its AWS."""
        return OfflineAws(**answers).target(self.settings)


Exercise = Callable[[World], None]
EXERCISES: list[Exercise] = []


def exercise(made: Exercise) -> Exercise:
    """Adds one."""
    EXERCISES.append(made)
    return made


def drained(steps: Iterator[Any]) -> None:
    """Runs an operation to its end."""
    for _ in steps:
        pass


@exercise
def stacks(world: World) -> None:
    from medallion_cli.aws.cloudformation import Stacks

    page, last = {"StackEvents": [], "NextToken": "more"}, {"StackEvents": []}
    more = {"Status": "CREATE_COMPLETE", "Changes": [], "NextToken": "more"}
    failed = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
    found = Stacks(
        world.target(
            DescribeStackEvents=[page, last],
            DescribeChangeSet=[more, {"Status": "CREATE_COMPLETE", "Changes": []}, failed],
        )
    )
    name, label = f"{world.settings.prefix}-visualization", "medallion-18a2b3c4d5e6f708"
    parameters = {name: value for name, value in world.outputs.items() if len(value) < 4096}
    found.request(
        name, label, "https://bucket.s3.eu-central-1.amazonaws.com/key", None, parameters, world.settings.tags
    )
    found.request(
        name, label, None, world.package.templates["network"], {}, {"medallion:environment": "retail-dev"}
    )
    identifier = (
        "arn:aws:cloudformation:eu-central-1:111122223333:changeSet/"
        + label
        + "/11111111-2222-3333-4444-555555555555"
    )
    found.change_set(name, identifier)
    found.change_set(name, identifier)
    for change in (found.execute, found.discard):
        change(identifier)
    for act in (found.delete, found.continue_rollback):
        act(name)
    found.protect(name, wanted=True)
    assert found.events(name, None) == []
    found.outputs([name])


@exercise
def objects(world: World) -> None:
    from medallion_cli.aws import s3

    page = {"Contents": [{"Key": "a"}], "IsTruncated": True, "NextContinuationToken": "more"}
    last = {"Contents": [], "IsTruncated": False}
    target = world.target(ListObjectsV2=[page, last], DeleteObjects={"Errors": []})
    bucket = world.outputs["BronzeBucket"]
    assert list(s3.keys(target, bucket, "g0001/")) == ["a"]
    s3.folders(target, bucket, "")
    s3.exists(target, bucket, "a")
    s3.read_text(target, bucket, "a")
    s3.read_bytes(target, bucket, "a")
    s3.put_text(target, bucket, "a", "text")
    s3.delete(target, bucket, ["a"])
    kept = {"Errors": [{"Key": "a", "Code": "AccessDenied", "Message": "no"}]}
    with pytest.raises(AwsError, match="a was not deleted"):
        s3.delete(world.target(DeleteObjects=kept), bucket, ["a"])


@exercise
def schedules(world: World) -> None:
    from medallion_cli.aws import schedules

    schedule = {"ScheduleExpression": "rate(15 minutes)", **_schedule(world)}
    target = world.target(GetSchedule=schedule)
    schedules.switch(target, world.outputs, enabled=True)


def _schedule(world: World) -> dict[str, Any]:
    arn, role = world.outputs["StateMachineArn"], "arn:aws:iam::111122223333:role/scheduler"
    return {
        "State": "DISABLED",
        "Name": world.outputs["PipelineScheduleName"],
        "GroupName": world.outputs["ScheduleGroupName"],
        "KmsKeyArn": world.outputs["KeyArn"],
        "ScheduleExpressionTimezone": "UTC",
        "Target": {"Arn": arn, "RoleArn": role, "Input": "{}"},
        "FlexibleTimeWindow": {"Mode": "OFF"},
    }


@exercise
def machine(world: World) -> None:
    from datetime import UTC, datetime

    from medallion_cli.aws.orchestration import StateMachine, run_id

    described = {"input": "{}", "output": "{}"}
    machine = StateMachine(world.target(DescribeExecution=described), world.outputs)
    name = run_id("0123456789", datetime.now(UTC))
    machine.start(name, {"layer": "silver", "tables": ["orders"]})
    arn = machine.arn.replace(":stateMachine:", ":execution:") + f":{name}"
    machine.execution(arn)
    machine.running()
    machine.last()
    machine.entered(arn)
    machine.events(arn)
    machine.redrive(arn)
    list(machine.newest())
    machine.named(name)
    machine.stop(arn, "stopped by the operator")


@exercise
def replication(world: World) -> None:
    from medallion_cli.aws.replication import Replication

    more = {"TableStatistics": [], "Marker": "more"}
    found = Replication(world.target(DescribeTableStatistics=[more, {"TableStatistics": []}]), world.outputs)
    found.task()
    found.tables()
    found.generation()
    found.write_generation("g0002")
    for how in ("start-replication", "resume-processing", "reload-target"):
        found.start(how)
    found.reload([("shop", "orders")])
    found.stop()


@exercise
def jobs(world: World) -> None:
    from medallion_cli.aws.jobs import run_job

    busy = ("ConcurrentRunsExceededException", "one at a time")
    runs = [{"JobRun": {"JobRunState": "RUNNING"}}, {"JobRun": {"JobRunState": "SUCCEEDED"}}]
    target = world.target(StartJobRun=[busy, {"JobRunId": "jr_1"}], GetJobRun=runs)
    job = next(value for name, value in world.outputs.items() if name.endswith("Job"))
    run_job(target, job, {"--run_id": "run-1"}, 0)


@exercise
def leftovers(world: World) -> None:
    from medallion_cli.aws import leftovers

    listing = {"Contents": [{"Key": "a"}], "IsTruncated": False}
    target = world.target(ListObjectsV2=listing, DeleteObjects={"Errors": []})
    leftovers.delete_bucket(target, world.outputs["BronzeBucket"])
    leftovers.delete_key(target, world.outputs["KeyArn"])
    leftovers.delete_database_snapshots(target, world.outputs["DatabaseIdentifier"])
    leftovers.delete_warehouse_snapshots(target, world.outputs["NamespaceName"])


@exercise
def source(world: World) -> None:
    from medallion_cli.aws.source import Source

    Source(world.target(Invoke={"FunctionError": ""}), world.outputs["SourceFunctionName"]).call(
        "heartbeat", token="t"
    )


@exercise
def data_api(world: World) -> None:
    from medallion_cli.aws.warehouse import connect

    done = {"Status": "FINISHED", "HasResultSet": True, "Id": IDENTIFIER}
    page = {"Records": [], "ColumnMetadata": [{"name": "n", "typeName": "int8"}]}
    results = [{**page, "NextToken": "more"}, page]
    target = world.target(
        ExecuteStatement={"Id": IDENTIFIER},
        BatchExecuteStatement={"Id": IDENTIFIER},
        DescribeStatement=done,
        GetStatementResult=results,
    )
    warehouse = connect(target, world.outputs)
    warehouse.execute("SELECT :n", {"n": 1})
    warehouse.batch(["SELECT 1", "SELECT 2"])


IDENTIFIER = "d9b6c0c9-0747-4bf4-b142-e8883122f766"


@exercise
def interrupted_statement(world: World) -> None:
    from medallion_cli.aws.warehouse import DataApi

    warehouse = DataApi(
        world.target(ExecuteStatement={"Id": IDENTIFIER}),
        *(world.outputs[name] for name in ("WorkgroupName", "Database", "WarehouseSecretArn")),
    )

    def interrupted(identifier: str) -> dict[str, Any]:
        raise KeyboardInterrupt

    warehouse._awaited = interrupted  # type: ignore[method-assign]
    with contextlib.suppress(KeyboardInterrupt):
        warehouse.execute("SELECT 1")


@exercise
def direct(world: World) -> None:
    from medallion_cli.aws.warehouse import SqlFailed, connect

    endpoint = {"workgroup": {"endpoint": {"address": "127.0.0.1", "port": 1}}}
    secret = {"SecretString": '{"username": "u", "password": "p"}'}
    target = world.target(GetWorkgroup=endpoint, GetSecretValue=secret)
    with contextlib.suppress(SqlFailed):
        connect(target, world.outputs, "direct").execute("SELECT 1")


@exercise
def usage_limit(world: World) -> None:
    from medallion_cli.operations.bootstrap import limit_usage

    guards = world.settings.guards.model_copy(update={"warehouse_hours_a_day": 24})
    settings = world.settings.model_copy(update={"guards": guards})
    arn = (
        "arn:aws:redshift-serverless:eu-central-1:111122223333:workgroup/11111111-2222-3333-4444-555555555555"
    )
    workgroup = {"workgroup": {"workgroupArn": arn}}
    other = {"usageLimits": [{"period": "daily", "amount": 12, "usageLimitId": IDENTIFIER}]}
    for limits in ({"usageLimits": []}, other):
        target = world.target(GetWorkgroup=workgroup, ListUsageLimits=limits)
        drained(limit_usage(target, world.outputs, settings))


@exercise
def marks(world: World) -> None:
    from medallion_cli.operations import marks

    target = world.target()
    marks.read(target, "warehouse")
    marks.write(target, "warehouse", "0" * 64)
    marks.drop(target, "warehouse")


@exercise
def lock(world: World) -> None:
    import json
    from dataclasses import asdict

    from medallion_cli.operations import lock

    mine = json.dumps(asdict(lock._mine("up")))
    target = world.target(GetParameter={"Parameter": {"Value": mine, "LastModifiedDate": _now()}})
    lock.unlock(target)
    nothing = (step for step in ())
    drained(lock.hold(world.target(GetParameter=("ParameterNotFound", "none")), "up", nothing))  # type: ignore[arg-type]


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)
