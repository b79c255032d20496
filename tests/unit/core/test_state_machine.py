"""State machines run as Step Functions runs them: retries, catches, maps, a durable history."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from medallion_cli.local.protocol import ServiceError
from medallion_cli.local.runtime import Credentials, Runtime
from medallion_cli.local.services import stepfunctions


class Scripted(Runtime):
    """A runtime whose API calls answer from a script."""

    def __init__(self, state: Path, answers: dict[str, list[Any]]) -> None:
        super().__init__(state, state / "cache", "us-east-1", "http://127.0.0.1:1", Credentials("a", "s"), {})
        self.answers, self.calls = answers, []

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.calls.append((operation, params))
        script = self.answers[operation]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def execute(
    tmp_path: Path, states: dict[str, Any], answers: dict[str, list[Any]] | None = None, data: Any = None
) -> Any:
    runtime = Scripted(tmp_path, answers or {})
    service = stepfunctions.create(runtime)
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
    role = "arn:aws:iam::000000000000:role/r"
    text = json.dumps(definition)
    arn = service.create_state_machine({"name": "m", "definition": text, "roleArn": role})["stateMachineArn"]
    started = {"stateMachineArn": arn, "name": "run-1", "input": json.dumps(data or {})}
    run = service.start_execution(started)["executionArn"]
    return runtime, service, run


def ended(service: Any, run: str, seconds: float = 10) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while (found := service.describe_execution({"executionArn": run}))["status"] == "RUNNING":
        assert time.monotonic() < until, "the execution does not end"
        time.sleep(0.02)
    return found


def kinds(service: Any, run: str) -> list[str]:
    return [e["type"] for e in service.get_execution_history({"executionArn": run})["events"]]


JOB = {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Arguments": {"JobName": "j"}}


def test_a_task_is_retried_and_its_result_assigned(tmp_path: Path) -> None:
    refused = ServiceError("ConcurrentRunsExceededException", "one at a time")
    retry = [
        {"ErrorEquals": ["Glue.ConcurrentRunsExceededException"], "IntervalSeconds": 0, "MaxAttempts": 3}
    ]
    states = {
        "Run": {
            **JOB,
            "Retry": retry,
            "Assign": {"state": "{% $states.result.JobRunState %}"},
            "Next": "Told",
        },
        "Told": {
            "Type": "Pass",
            "Output": {"was": "{% $state %}", "asked": "{% $states.context.Execution.Input %}"},
            "End": True,
        },
    }
    answers = {
        "StartJobRun": [refused, refused, {"JobRunId": "1"}],
        "GetJobRun": [{"JobRun": {"JobRunState": "RUNNING"}}, {"JobRun": {"JobRunState": "SUCCEEDED"}}],
    }
    _, service, run = execute(tmp_path, states, answers, {"n": 1})
    found = ended(service, run)
    assert json.loads(found["output"]) == {"was": "SUCCEEDED", "asked": {"n": 1}}
    assert kinds(service, run).count("TaskFailed") == 2


def test_a_failed_job_is_caught_with_its_cause(tmp_path: Path) -> None:
    catch = [
        {
            "ErrorEquals": ["States.TaskFailed"],
            "Next": "Bad",
            "Assign": {"why": "{% $states.errorOutput.Cause %}"},
        }
    ]
    states = {
        "Run": {**JOB, "Catch": catch, "End": True},
        "Bad": {"Type": "Fail", "Error": "Pipeline.Failed", "Cause": "{% $parse($why).ErrorMessage %}"},
    }
    answers = {
        "StartJobRun": [{"JobRunId": "1"}],
        "GetJobRun": [{"JobRun": {"JobRunState": "FAILED", "ErrorMessage": "no such table"}}],
    }
    _, service, run = execute(tmp_path, states, answers)
    found = ended(service, run)
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Pipeline.Failed", "no such table")


def test_a_map_keeps_order_and_its_variables_to_itself(tmp_path: Path) -> None:
    inner = {
        "StartAt": "One",
        "States": {
            "One": {
                "Type": "Pass",
                "Assign": {"seen": "{% $states.input %}"},
                "Output": "{% $states.input * $by %}",
                "End": True,
            }
        },
    }
    states = {
        "Set": {"Type": "Pass", "Assign": {"by": 10, "seen": 0}, "Next": "Each"},
        "Each": {
            "Type": "Map",
            "Items": "{% $states.input.items %}",
            "MaxConcurrency": 2,
            "ItemProcessor": inner,
            "Next": "Done",
        },
        "Done": {"Type": "Succeed", "Output": {"all": "{% $states.input %}", "seen": "{% $seen %}"}},
    }
    _, service, run = execute(tmp_path, states, data={"items": [3, 1, 2]})
    assert json.loads(ended(service, run)["output"]) == {"all": [30, 10, 20], "seen": 0}
    assert kinds(service, run).count("MapIterationSucceeded") == 3


def test_a_choice_loop_waits_until_its_condition_holds(tmp_path: Path) -> None:
    again = {"Condition": "{% $n < 3 %}", "Assign": {"n": "{% $n + 1 %}"}, "Next": "Pause"}
    states = {
        "Set": {"Type": "Pass", "Assign": {"n": 0}, "Next": "Enough"},
        "Enough": {"Type": "Choice", "Choices": [again], "Default": "Done", "Output": {"n": "{% $n %}"}},
        "Pause": {"Type": "Wait", "Seconds": 0, "Next": "Enough"},
        "Done": {"Type": "Succeed"},
    }
    _, service, run = execute(tmp_path, states)
    assert json.loads(ended(service, run)["output"]) == {"n": 3}


def test_a_stopped_execution_stops_its_job(tmp_path: Path) -> None:
    running = {"JobRun": {"JobRunState": "RUNNING"}}
    answers = {"StartJobRun": [{"JobRunId": "1"}], "GetJobRun": [running], "BatchStopJobRun": [{}]}
    runtime, service, run = execute(tmp_path, {"Run": {**JOB, "End": True}}, answers)
    until = time.monotonic() + 5
    while not any(name == "GetJobRun" for name, _ in runtime.calls):
        assert time.monotonic() < until
        time.sleep(0.02)
    service.stop_execution({"executionArn": run, "cause": "enough"})
    assert ended(service, run)["status"] == "ABORTED"
    assert ("BatchStopJobRun", {"JobName": "j", "JobRunIds": ["1"]}) in runtime.calls


def test_a_task_that_outlives_its_timeout_fails_and_stops_its_job(tmp_path: Path) -> None:
    answers = {
        "StartJobRun": [{"JobRunId": "1"}],
        "GetJobRun": [{"JobRun": {"JobRunState": "RUNNING"}}],
        "BatchStopJobRun": [{}],
    }
    runtime, service, run = execute(tmp_path, {"Run": {**JOB, "TimeoutSeconds": 1, "End": True}}, answers)
    found = ended(service, run)
    assert (found["status"], found["error"]) == ("FAILED", "States.Timeout")
    assert any(name == "BatchStopJobRun" for name, _ in runtime.calls)


def test_a_redrive_goes_on_from_the_state_that_failed(tmp_path: Path) -> None:
    failed = {"JobRun": {"JobRunState": "FAILED"}}
    answers = {
        "StartJobRun": [{"JobRunId": "1"}],
        "GetJobRun": [failed, {"JobRun": {"JobRunState": "SUCCEEDED"}}],
    }
    states = {
        "Set": {"Type": "Pass", "Assign": {"kept": 7}, "Next": "Run"},
        "Run": {**JOB, "Output": "{% $kept %}", "End": True},
    }
    _, service, run = execute(tmp_path, states, answers)
    assert ended(service, run)["status"] == "FAILED"
    service.redrive_execution({"executionArn": run})
    assert json.loads(ended(service, run)["output"]) == 7
    assert kinds(service, run).count("PassStateEntered") == 1


def test_what_ran_when_the_daemon_died_reads_aborted(tmp_path: Path) -> None:
    runtime, service, run = execute(tmp_path, {"Long": {"Type": "Wait", "Seconds": 60, "End": True}})
    until = time.monotonic() + 5
    while "WaitStateEntered" not in kinds(service, run):
        assert time.monotonic() < until
        time.sleep(0.02)
    service.stop()
    after = stepfunctions.create(runtime)
    after.start()
    assert after.describe_execution({"executionArn": run})["status"] == "ABORTED"
    assert kinds(after, run)[-1] == "ExecutionAborted"


@pytest.mark.parametrize("expression", ["{% $nothing %}", "{% 1 + 'a' %}"])
def test_an_expression_without_a_value_is_an_evaluation_error(tmp_path: Path, expression: str) -> None:
    _, service, run = execute(tmp_path, {"P": {"Type": "Pass", "Output": expression, "End": True}})
    assert ended(service, run)["error"] == "States.QueryEvaluationError"
    assert "EvaluationFailed" in kinds(service, run)


def test_an_empty_selection_next_to_the_word_null_is_undefined(tmp_path: Path) -> None:
    output = "{% $states.input.absent ~> function($v) { $v = null ? $nothing : $nothing } %}"
    _, service, run = execute(tmp_path, {"P": {"Type": "Pass", "Output": output, "End": True}})
    assert ended(service, run)["error"] == "States.QueryEvaluationError"


def test_a_null_variable_is_null(tmp_path: Path) -> None:
    states = {
        "Set": {"Type": "Pass", "Assign": {"generation": None}, "Next": "Done"},
        "Done": {"Type": "Succeed", "Output": "{% $generation = null %}"},
    }
    _, service, run = execute(tmp_path, states)
    assert json.loads(ended(service, run)["output"]) is True
