"""The daemon's life: one a folder, the same address again, nothing lost by a kill, strangers refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from medallion_cli.local import lifecycle
from medallion_cli.local.engines.processes import read_pidfile
from tests.local.core.conftest import Daemon

pytestmark = pytest.mark.engine


def test_a_stranger_is_refused(daemon: Daemon) -> None:
    with pytest.raises(ClientError) as refused:
        daemon.client("sts", key="AKIASOMEBODYELSE").get_caller_identity()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert daemon.client("sts").get_caller_identity()["Account"] == "000000000000"


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [
        (
            "stepfunctions",
            "describe_execution",
            {"executionArn": "arn:aws:states:x:0:execution:m:n"},
            "ExecutionDoesNotExist",
        ),
        ("lambda", "get_function", {"FunctionName": "nobody"}, "ResourceNotFoundException"),
        ("scheduler", "get_schedule", {"Name": "never"}, "ResourceNotFoundException"),
        ("sns", "publish", {"TopicArn": "arn:aws:sns:us-east-1:000000000000:no", "Message": "x"}, "NotFound"),
        ("secretsmanager", "get_secret_value", {"SecretId": "no"}, "ResourceNotFoundException"),
        ("ssm", "get_parameter", {"Name": "/no"}, "ParameterNotFound"),
    ],
)
def test_an_error_reads_as_awss_own_in_every_protocol(
    daemon: Daemon, service: str, operation: str, params: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError) as failed:
        getattr(daemon.client(service), operation)(**params)
    assert failed.value.response["Error"]["Code"] == code


def test_a_value_outside_its_enum_is_refused(daemon: Daemon) -> None:
    target = {
        "Arn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "RoleArn": "arn:aws:iam::000000000000:role/r",
    }
    with pytest.raises(ClientError, match="ValidationException"):
        daemon.client("scheduler").create_schedule(
            Name="s",
            ScheduleExpression="rate(1 hour)",
            State="MAYBE",
            Target=target,
            FlexibleTimeWindow={"Mode": "OFF"},
        )


def test_secrets_survive_a_kill_at_the_same_address(
    own_daemon: Daemon, eventually: Callable[..., Any]
) -> None:
    made = own_daemon.client("secretsmanager").create_secret(Name="db", SecretString='{"password":"p"}')
    facts = json.loads((own_daemon.state / "daemon.json").read_text())
    os.kill(facts["pid"], signal.SIGKILL)
    eventually(lambda: read_pidfile(own_daemon.state / "daemon.pid") is None)
    found = own_daemon.client("secretsmanager").get_secret_value(SecretId=made["ARN"])
    assert found["SecretString"] == '{"password":"p"}'
    again = json.loads((own_daemon.state / "daemon.json").read_text())
    assert (again["endpoint"], again["access_key"]) == (facts["endpoint"], facts["access_key"])
    assert again["pid"] != facts["pid"]


def test_files_with_secrets_are_for_their_owner_only(own_daemon: Daemon) -> None:
    own_daemon.client("secretsmanager").create_secret(Name="db", SecretString="s3cr3t-value")
    told = [p for p in own_daemon.state.rglob("*") if p.is_file() and b"s3cr3t-value" in p.read_bytes()]
    assert told
    for path in (*told, own_daemon.state / "daemon.json", own_daemon.state / "endpoint.json"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_it_starts_quickly_and_only_once(own_daemon: Daemon) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        endpoints = list(pool.map(lambda _: own_daemon.up(), range(3)))
    assert len(set(endpoints)) == 1
    assert time.monotonic() - began < 15


def test_stop_ends_it_and_reset_leaves_nothing(own_daemon: Daemon) -> None:
    own_daemon.up()
    pid = json.loads((own_daemon.state / "daemon.json").read_text())["pid"]
    assert _runs(pid)
    lifecycle.stop(own_daemon.state)
    assert not _runs(pid)
    assert lifecycle.endpoint(own_daemon.state) is None
    lifecycle.reset(own_daemon.state)
    assert not own_daemon.state.exists()


def test_it_ends_when_its_folder_is_removed(own_daemon: Daemon, eventually: Callable[..., Any]) -> None:
    own_daemon.client("ssm").put_parameter(Name="/a", Value="b", Type="String")
    pid = read_pidfile(own_daemon.state / "daemon.pid")
    assert pid is not None
    shutil.rmtree(own_daemon.state)
    eventually(lambda: not _runs(pid), 30)


def test_it_ends_when_its_folder_is_removed_under_a_database(
    own_daemon: Daemon, eventually: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDALLION_CACHE_HOME")  # where other tests have MariaDB
    rds = own_daemon.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="source", DBInstanceClass="db.t4g.micro", Engine="mysql", EngineVersion="8.4",
        AllocatedStorage=20, MasterUsername="admin", MasterUserPassword="of-the-test-1",
    )  # fmt: skip
    eventually(lambda: rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "available", 120)
    pid = read_pidfile(own_daemon.state / "daemon.pid")
    assert pid is not None
    engines = psutil.Process(pid).children()
    assert engines
    shutil.rmtree(own_daemon.state)
    (own_daemon.state / "engines").mkdir(parents=True)  # as one does that is started again meanwhile
    eventually(lambda: not _runs(pid) and not any(one.is_running() for one in engines), 30)


def test_an_execution_that_a_kill_ended_reads_aborted_and_can_be_redriven(
    own_daemon: Daemon, eventually: Callable[..., Any]
) -> None:
    client = own_daemon.client("stepfunctions")
    wait = {
        "Type": "Wait",
        "Seconds": "{% $states.context.Execution.RedriveCount = 0 ? 60 : 0 %}",
        "End": True,
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "W", "States": {"W": wait}}
    role = "arn:aws:iam::000000000000:role/r"
    machine = client.create_state_machine(name="m", definition=json.dumps(definition), roleArn=role)[
        "stateMachineArn"
    ]
    run = client.start_execution(stateMachineArn=machine, name="run-1")["executionArn"]
    eventually(lambda: len(client.get_execution_history(executionArn=run)["events"]) > 1)
    os.kill(json.loads((own_daemon.state / "daemon.json").read_text())["pid"], signal.SIGKILL)
    eventually(lambda: read_pidfile(own_daemon.state / "daemon.pid") is None)
    after = own_daemon.client("stepfunctions")
    assert after.describe_execution(executionArn=run)["status"] == "ABORTED"
    after.redrive_execution(executionArn=run)
    eventually(lambda: after.describe_execution(executionArn=run)["status"] == "SUCCEEDED")
    events = after.get_execution_history(executionArn=run)["events"]
    assert [e["id"] for e in events] == list(range(1, len(events) + 1))
    assert {"ExecutionAborted", "ExecutionRedriven", "ExecutionSucceeded"} <= {e["type"] for e in events}


def _runs(pid: int) -> bool:
    """A zombie has ended, whether or not somebody collects it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
