"""Lambda functions, and the state machines and schedules that call them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from medallion_cli.local.services.lambda_environments import Environments, Plan, end
from tests.local.core.conftest import Daemon

pytestmark = pytest.mark.engine
ROLE = "arn:aws:iam::000000000000:role/r"
SOURCE = """
import os, time
BORN = time.time()
def handler(event, context):
    print("seen", event)
    if event.get("fail"):
        raise KeyError("broken")
    time.sleep(event.get("sleep", 0))
    if event.get("exit"):
        os._exit(7)
    return {"got": event, "who": os.environ["WHO"], "left": context.get_remaining_time_in_millis() > 0,
            "at": os.environ["AWS_ENDPOINT_URL"], "name": context.function_name,
            "request": context.aws_request_id, "pid": os.getpid(), "born": BORN}
"""


def zipped(source: str = SOURCE) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    return buffer.getvalue()


def make(client: Any, name: str) -> str:
    return str(
        client.create_function(
            FunctionName=name, Runtime="python3.12", Role=ROLE, Handler="index.handler", Timeout=3,
            Code={"ZipFile": zipped()}, Environment={"Variables": {"WHO": "me"}},
        )["FunctionArn"]
    )  # fmt: skip


@pytest.fixture
def function(daemon: Daemon) -> Iterator[tuple[Any, str]]:
    client = daemon.client("lambda")
    yield client, make(client, "echo")
    client.delete_function(FunctionName="echo")


def invoke(client: Any, event: dict[str, Any], **more: Any) -> tuple[dict[str, Any], Any]:
    answer = client.invoke(FunctionName="echo", Payload=json.dumps(event), **more)
    text = answer["Payload"].read()
    return answer, json.loads(text) if text else None


def test_a_function_answers_within_its_environment(function: tuple[Any, str], daemon: Daemon) -> None:
    began = time.monotonic()
    answer, result = invoke(function[0], {"a": "ü"})
    assert answer["StatusCode"] == 200
    assert "FunctionError" not in answer
    told = {"got": {"a": "ü"}, "who": "me", "left": True, "at": daemon.up().url, "name": "echo"}
    assert {name: result[name] for name in told} == told
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("event", "type_", "message"),
    [
        ({"fail": 1}, "KeyError", "broken"),
        ({"sleep": 9}, "Sandbox.Timedout", "timed out"),
        ({"exit": 1}, "Runtime.ExitError", "exit"),
    ],
)
def test_a_failure_is_a_function_error(
    function: tuple[Any, str], event: dict[str, Any], type_: str, message: str
) -> None:
    answer, result = invoke(function[0], event)
    assert answer["FunctionError"] == "Unhandled"
    assert message in result["errorMessage"]
    assert result["errorType"] == type_


def waiting(daemon: Daemon) -> list[int]:
    """Environments of functions that wait for an event."""
    pid = json.loads((daemon.state / "daemon.json").read_text())["pid"]
    found = []
    for each in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            found += [each.pid] if "lambda_worker.py" in " ".join(each.cmdline()) else []
    return found


def test_the_next_environment_is_ready_and_has_one_invocation(
    function: tuple[Any, str], daemon: Daemon, eventually: Any
) -> None:
    client, _ = function
    _, first = invoke(client, {})
    (ready,) = eventually(lambda: waiting(daemon))
    time.sleep(0.5)
    asked = time.time()
    _, second = invoke(client, {})
    assert second["pid"] == ready != first["pid"]
    assert second["born"] < asked
    assert len({first["request"], second["request"]}) == 2


def test_an_environment_that_was_killed_or_is_of_other_code_is_not_used(
    function: tuple[Any, str], daemon: Daemon, eventually: Any
) -> None:
    client, _ = function
    invoke(client, {})
    (ready,) = eventually(lambda: waiting(daemon))
    os.kill(ready, signal.SIGKILL)
    _, second = invoke(client, {"a": 1})
    assert second["got"] == {"a": 1}
    client.update_function_code(FunctionName="echo", ZipFile=zipped(SOURCE.replace('"got"', '"given"')))
    _, third = invoke(client, {"a": 2})
    assert third["given"] == {"a": 2}
    variables = {"Variables": {"WHO": "you"}}
    client.update_function_configuration(FunctionName="echo", Environment=variables)
    _, fourth = invoke(client, {"a": 3})
    assert fourth["who"] == "you"
    client.delete_function(FunctionName="echo")
    time.sleep(0.3)  # one that was being started meanwhile
    assert waiting(daemon) == []
    make(client, "echo")


def test_none_is_started_for_a_function_that_was_deleted_while_it_worked(tmp_path: Path) -> None:
    (tmp_path / "quick.py").write_text("def handler(event, context):\n    return event\n")
    variables = (("LAMBDA_TASK_ROOT", str(tmp_path)),)
    plan, environments = Plan(tmp_path, "quick.handler", variables, tmp_path / "log"), Environments()
    end(environments.take("f", plan))
    environments.drop("f")
    environments.prepare("f", plan)
    assert environments._warm == {}
    end(environments.take("f", plan))
    environments.prepare("f", plan)
    assert list(environments._warm) == ["f"]
    environments.close()
    environments.prepare("f", plan)
    assert environments._warm == {}


def test_a_failure_is_traced_to_its_line(function: tuple[Any, str], daemon: Daemon) -> None:
    _, result = invoke(function[0], {"fail": 1})
    trace = "".join(result["stackTrace"])
    assert 'raise KeyError("broken")' in trace
    assert f"{daemon.state / 'functions'}" in trace


def test_what_it_prints_is_in_its_log_group(
    function: tuple[Any, str], daemon: Daemon, eventually: Any
) -> None:
    _, _ = invoke(function[0], {"word": "findme-1"}, InvocationType="Event")
    logs = daemon.client("logs")

    def lines() -> list[str]:
        found = logs.filter_log_events(logGroupName="/aws/lambda/echo", filterPattern='"findme-1"')["events"]
        return [event["message"] for event in found]

    assert "seen" in eventually(lines)[0]


def test_functions_made_at_once_are_all_there(daemon: Daemon) -> None:
    names = [f"at-once-{n}" for n in range(8)]
    client = daemon.client("lambda")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: make(client, name), names))
    found = {f["FunctionName"] for f in client.list_functions()["Functions"]}
    for name in names:
        client.delete_function(FunctionName=name)
    assert set(names) <= found
    unpacked = [each.name for each in (daemon.state / "functions").iterdir()]
    assert [name for name in unpacked if "." in name] == []


def finished(
    client: Any, machine: str, name: str, data: dict[str, Any], eventually: Callable[..., Any]
) -> dict[str, Any]:
    arn = client.start_execution(stateMachineArn=machine, name=name, input=json.dumps(data))["executionArn"]

    def ended() -> Any:
        found = client.describe_execution(executionArn=arn)
        return found if found["status"] != "RUNNING" else None

    return dict(eventually(ended, 30))


def machine(client: Any, name: str, states: dict[str, Any]) -> str:
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
    return str(
        client.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)[
            "stateMachineArn"
        ]
    )


def test_a_state_machine_invokes_maps_waits_and_writes_an_object(
    function: tuple[Any, str], daemon: Daemon, eventually: Callable[..., Any]
) -> None:
    daemon.client("s3").create_bucket(Bucket="machine-bucket")
    call = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
    each = {**call, "Arguments": {"FunctionName": function[1], "Payload": {"n": "{% $states.input %}"}}}
    one = {**each, "Output": "{% $states.result.Payload.got.n %}", "End": True}
    put_object = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:putObject"}
    put = {"Bucket": "machine-bucket", "Key": "runs/summary.json", "Body": {"ns": "{% $ns %}"}}
    states = {
        "Each": {
            "Type": "Map", "Items": "{% $states.input.items %}",
            "ItemProcessor": {"StartAt": "Call", "States": {"Call": one}},
            "Assign": {"ns": "{% $states.result %}"}, "Next": "Pause",
        },
        "Pause": {"Type": "Wait", "Seconds": 1, "Next": "Put"},
        "Put": {**put_object, "Arguments": put, "Next": "Get"},
        "Get": {
            "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
            "Arguments": {"Bucket": "machine-bucket", "Key": "runs/summary.json"},
            "Output": "{% $parse($states.result.Body) %}", "End": True,
        },
    }  # fmt: skip
    client = daemon.client("stepfunctions")
    found = finished(client, machine(client, "whole", states), "run-1", {"items": [1, 2, 3]}, eventually)
    assert (found["status"], json.loads(found.get("output", "null"))) == ("SUCCEEDED", {"ns": [1, 2, 3]}), (
        found
    )
    history = client.get_execution_history(executionArn=found["executionArn"])["events"]
    assert [e["id"] for e in history] == list(range(1, len(history) + 1))
    daemon.client("s3").delete_object(Bucket="machine-bucket", Key="runs/summary.json")
    daemon.client("s3").delete_bucket(Bucket="machine-bucket")


def test_a_functions_exception_is_caught_by_its_type(
    function: tuple[Any, str], daemon: Daemon, eventually: Callable[..., Any]
) -> None:
    told = {"error": "{% $states.errorOutput.Error %}"}
    states = {
        "Call": {
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": function[1], "Payload": {"fail": 1}},
            "Catch": [{"ErrorEquals": ["KeyError"], "Output": told, "Next": "Caught"}],
            "End": True,
        },
        "Caught": {"Type": "Succeed"},
    }  # fmt: skip
    client = daemon.client("stepfunctions")
    found = finished(client, machine(client, "catches", states), "run-1", {}, eventually)
    assert json.loads(found["output"]) == {"error": "KeyError"}


def test_a_missing_object_has_the_error_name_of_aws(daemon: Daemon, eventually: Callable[..., Any]) -> None:
    daemon.client("s3").create_bucket(Bucket="empty-bucket")
    states = {
        "Get": {
            "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
            "Arguments": {"Bucket": "empty-bucket", "Key": "no"}, "End": True,
        }
    }  # fmt: skip
    client = daemon.client("stepfunctions")
    found = finished(client, machine(client, "missing", states), "run-1", {}, eventually)
    daemon.client("s3").delete_bucket(Bucket="empty-bucket")
    assert (found["status"], found["error"]) == ("FAILED", "S3.NoSuchKeyException")


def test_the_same_start_twice_is_one_execution(daemon: Daemon, eventually: Callable[..., Any]) -> None:
    client = daemon.client("stepfunctions")
    arn = machine(client, "twice", {"W": {"Type": "Wait", "Seconds": 2, "End": True}})
    first = client.start_execution(stateMachineArn=arn, name="run-1", input="{}")
    assert (
        client.start_execution(stateMachineArn=arn, name="run-1", input="{}")["executionArn"]
        == first["executionArn"]
    )
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(stateMachineArn=arn, name="run-1", input='{"other":1}')
    client.stop_execution(executionArn=first["executionArn"], error="E", cause="c")
    eventually(lambda: client.describe_execution(executionArn=first["executionArn"])["status"] == "ABORTED")


def test_two_machines_may_have_executions_of_the_same_name(
    daemon: Daemon, eventually: Callable[..., Any]
) -> None:
    client = daemon.client("stepfunctions")
    outputs = []
    for name in ("left", "right"):
        arn = machine(client, name, {"P": {"Type": "Pass", "Output": name, "End": True}})
        outputs.append(json.loads(finished(client, arn, "same-name", {}, eventually)["output"]))
    assert outputs == ["left", "right"]


def test_a_topic_takes_subscriptions_and_messages(daemon: Daemon) -> None:
    sns = daemon.client("sns")
    arn = sns.create_topic(Name="alerts")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="a@example.com")
    assert sns.publish(TopicArn=arn, Subject="s", Message="m")["MessageId"]
    sns.delete_topic(TopicArn=arn)
