"""The same for deployment and operation: what an account holds, the code, the databases' state, functions and jobs."""

from __future__ import annotations

from exercises import IDENTIFIER, World, drained, exercise
from offline_aws import SESSION, OfflineAws


@exercise
def account(world: World) -> None:
    from medallion_cli.aws.cloudformation import Stacks
    from medallion_cli.operations.deployment.change_sets import Deployment
    from medallion_cli.operations.deployment.graph import stack_graph
    from medallion_cli.operations.deployment.preflight import preflight

    gone = ("ValidationError", f"Stack with id {world.settings.prefix} does not exist")
    parameters = {
        **world.settings.parameters,
        "QuickSightPrincipalArn": PRINCIPAL,
        "GeneratorConcurrency": "1",
    }
    settings = world.settings.model_copy(update={"parameters": parameters})
    target = world.target(DescribeStacks=gone, GetCallerIdentity={"Account": "111122223333"})
    graph = stack_graph(world.package.templates)
    findings = preflight(Deployment(target, settings, world.package, Stacks(target), graph))
    assert not [finding for finding in findings if finding.severity == "unseen"], findings


PRINCIPAL = "arn:aws:quicksight:us-east-1:111122223333:user/default/analyst"


@exercise
def code(world: World) -> None:
    from medallion_cli.operations.deployment import code

    job = {
        "Name": "job",
        "Role": "arn:aws:iam::111122223333:role/job",
        "Command": {"Name": "glueetl", "ScriptLocation": f"s3://b/code/glue/{'0' * 16}/bronze_to_silver.py"},
        "DefaultArguments": {"--pipeline_uri": f"s3://b/code/pipeline/{'0' * 16}/pipeline.json"},
        "ExecutionProperty": {"MaxConcurrentRuns": 1},
        "GlueVersion": "5.1",
        "WorkerType": "G.1X",
        "NumberOfWorkers": 2,
        "Timeout": 60,
        "MaxRetries": 0,
    }
    function = {"CodeSha256": "other", "LastUpdateStatus": "Successful"}
    target = world.target(GetJob={"Job": job}, GetFunctionConfiguration=function)
    code.stale(target, world.outputs, world.package)
    drained(code.bring(target, world.outputs, world.package))


@exercise
def stack_parameters(world: World) -> None:
    from medallion_cli.operations.stack_parameters import parameters

    without = {name: value for name, value in world.outputs.items() if name != "TargetEndpointArn"}
    parameters(world.target(), world.settings, world.package, "replication", None, without)
    for stack in ("source", "orchestration"):
        parameters(world.target(), world.settings, world.package, stack, None, world.outputs)


@exercise
def function_secret(world: World) -> None:
    import boto3

    from medallion_cli.synthetic import connection

    answer = {"SecretString": '{"username": "u", "password": "p"}'}
    OfflineAws(GetSecretValue=answer)
    boto3.DEFAULT_SESSION, before = SESSION, boto3.DEFAULT_SESSION
    try:
        connection.secret(world.outputs["SourceSecretArn"])
    finally:
        boto3.DEFAULT_SESSION = before


@exercise
def job_objects(world: World) -> None:
    import boto3
    from medallion_glue import objects

    OfflineAws(DeleteObjects={"Errors": []})
    boto3.DEFAULT_SESSION, before = SESSION, boto3.DEFAULT_SESSION
    objects.client.cache_clear()
    try:
        bucket = world.outputs["StagingBucket"]
        objects.read_text(f"s3://{bucket}/a")
        objects.first_bytes(bucket, "a", 4)
        objects.put_json(f"s3://{bucket}/runs/a.json", {})
        list(objects.listed(bucket, "g0001/"))
        objects.delete(bucket, ["a"])
    finally:
        boto3.DEFAULT_SESSION = before
        objects.client.cache_clear()


@exercise
def database(world: World) -> None:
    from medallion_cli.aws.database import Database

    found = Database(world.target(), world.outputs["DatabaseIdentifier"])
    found.instance()
    found.stop()
    found.start()


@exercise
def dashboard_user(world: World) -> None:
    from medallion_cli.operations.dashboard_user import keep_dashboard_user

    secret = {"ARN": "arn", "VersionId": IDENTIFIER, "SecretString": '{"username": "u", "password": "p"}'}
    target = world.target(
        GetSecretValue=secret,
        GetParameter=("ParameterNotFound", "none"),
        ExecuteStatement={"Id": IDENTIFIER},
        BatchExecuteStatement={"Id": IDENTIFIER},
        DescribeStatement={"Status": "FINISHED", "HasResultSet": False, "Id": IDENTIFIER},
    )
    drained(keep_dashboard_user(target, world.outputs, world.settings))


@exercise
def replication_instance(world: World) -> None:
    from medallion_cli.aws.replication import ReplicationInstance
    from medallion_cli.operations.paused import SMALLEST

    found = ReplicationInstance(world.target(), world.outputs)
    found.instance()
    found.resize(SMALLEST)


@exercise
def drift(world: World) -> None:
    from medallion_cli.aws import drift
    from medallion_cli.operations.drift import _usage_limit

    page = {"StackResourceDrifts": [], "NextToken": "more"}
    target = world.target(
        DetectStackDrift={"StackDriftDetectionId": IDENTIFIER},
        DescribeStackDriftDetectionStatus={"DetectionStatus": "DETECTION_COMPLETE"},
        DescribeStackResourceDrifts=[page, {"StackResourceDrifts": []}],
    )
    stack = f"{world.settings.prefix}-visualization"
    assert drift.ended(target, drift.begin(target, stack))
    assert list(drift.differences(target, stack)) == []
    list(_usage_limit(target, world.outputs, world.settings))


@exercise
def remains(world: World) -> None:
    from medallion_cli.aws import leftovers

    prefix = str(world.settings.prefix)
    target = world.target(ListBuckets={"Buckets": [{"Name": f"{prefix}-bronze-0123456789ab"}]})
    assert {left.kind for left in leftovers.find(target, prefix)} >= {"bucket", "key"}


@exercise
def health(world: World) -> None:
    from datetime import UTC, datetime

    from medallion_cli.aws import jobs, logs, metrics, s3
    from medallion_cli.aws.orchestration import StateMachine
    from medallion_cli.operations.doctor.diagnose import diagnose
    from medallion_cli.operations.doctor.look import Look

    now = datetime.now(UTC)
    page = {"events": [{"timestamp": 1, "message": "a"}], "nextToken": "more"}
    target = world.target(FilterLogEvents=[page, {"events": []}], GetExecutionHistory={"events": []})
    prefix = str(world.settings.prefix)
    assert len([*logs.lines(target, f"/aws-glue/{prefix}/error", now, now, [f"jr_{'0' * 64}"])]) == 1
    jobs.job_runs(target, world.outputs["BronzeToSilverJob"])
    task = world.outputs["ReplicationTaskArn"].rpartition(":")[2]
    metrics.replication_latency(target, f"{prefix}-replication", task)
    s3.first_after(target, world.outputs["BronzeBucket"], "g0001/shop/orders/", "g0001/shop/orders/2026/")
    machine = StateMachine(target, world.outputs)
    machine.spans(machine.recent(1)[0].arn)
    gone = ("ParameterNotFound", "none")
    execution = {"input": "{}", "output": "{}", "status": "SUCCEEDED"}
    stacks = ("ValidationError", "it does not exist")
    looked = world.target(GetParameter=gone, DescribeStacks=stacks, DescribeExecution=execution)
    drained(diagnose(Look(looked, world.outputs, world.settings, world.pipeline)))
