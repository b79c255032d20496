"""Lines of Glue's log groups, whose streams are named as Glue 5 names them and refused as CloudWatch refuses them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from medallion_cli.aws.jobs import JobRun, job_runs
from medallion_cli.aws.logs import ASKED, lines
from medallion_cli.errors import AwsError
from medallion_cli.operations import logs

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STREAMS = {
    "/aws-glue/shop/output": {"jr_1-driver": ["orders: ok, read 7, live 7", "ValueError: no such column"]},
    "/aws-glue/shop/error": {"jr_1-driver": ["INFO a"], "jr_1-1": ["INFO b"], "jr_2-driver": ["INFO c"]},
}


class CloudWatch:
    """FilterLogEvents over STREAMS."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        """A name that is not there fails the request, a beginning that nothing has does not."""
        self.requests.append(asked)
        found = STREAMS.get(asked["logGroupName"])
        names = asked.get("logStreamNames")
        if found is None or (names and not set(names) <= set(found)):
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        wanted = [
            s for s in found if s.startswith(asked.get("logStreamNamePrefix", "")) and s in (names or found)
        ]
        events = [{"timestamp": 1, "logStreamName": s, "message": text} for s in wanted for text in found[s]]
        return {"events": events}


def read(group: str, *streams: str) -> tuple[list[str], CloudWatch]:
    logs_of_aws = CloudWatch()
    target: Any = SimpleNamespace(client=lambda _: logs_of_aws)
    return [line.text for line in lines(target, f"/aws-glue/shop/{group}", NOW, None, streams)], logs_of_aws


def test_a_job_run_is_found_by_the_beginning_of_its_streams() -> None:
    assert read("error", "jr_1")[0] == ["INFO a", "INFO b"]


def test_a_run_without_a_stream_yet_hides_no_other() -> None:
    assert read("error", "jr_1", "jr_9")[0] == ["INFO a", "INFO b"]
    assert read("error", "none")[0] == []


def test_of_many_runs_the_group_is_read_once() -> None:
    found, aws = read("error", "jr_2", *(f"jr_x{n}" for n in range(ASKED)))
    assert (found, len(aws.requests)) == (["INFO c"], 1)


def test_a_cause_is_looked_for_on_stderr_too(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = JobRun("jr_1", "run-1", "FAILED", "", NOW, 1.0, 1.0)
    monkeypatch.setattr(logs, "_jobs", lambda *_: [failed])
    target: Any = SimpleNamespace(client=lambda _: CloudWatch())
    settings: Any = SimpleNamespace(prefix="shop")
    run: Any = SimpleNamespace(run_id="run-1", started_at=NOW, stopped_at=NOW)
    assert logs._exceptions(target, {}, settings, run) == ["ValueError: no such column"]


def test_jobs_that_begin_while_lines_are_followed_are_followed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    target: Any = SimpleNamespace(client=lambda _: CloudWatch())
    monkeypatch.setattr(logs, "time", SimpleNamespace(sleep=lambda _: None))
    jobs = iter([("none",), ("none",), ("jr_2",)])
    found = logs.follow(
        target, logs.Query(("/aws-glue/shop/error",), NOW, streams=("none",)), lambda: next(jobs)
    )
    assert next(found).text == "INFO c"


class Glue:
    """GetJobRuns: a run every quarter of an hour, newest first, a page at a time."""

    def __init__(self) -> None:
        self.pages = 0

    def get_job_runs(self, JobName: str, MaxResults: int, NextToken: str = "0") -> dict[str, Any]:
        assert MaxResults <= 200, "Glue refuses more"
        self.pages += 1
        first = int(NextToken)
        runs = [
            {"Id": f"jr_{n}", "JobRunState": "SUCCEEDED", "StartedOn": NOW - timedelta(minutes=15 * n)}
            for n in range(first, first + MaxResults)
        ]
        return {"JobRuns": runs, "NextToken": str(first + MaxResults)}


def test_the_jobs_of_a_run_of_last_week_are_found() -> None:
    glue = Glue()
    target: Any = SimpleNamespace(client=lambda _: glue)
    found = job_runs(target, "shop-bronze-to-silver", since=NOW - timedelta(days=7))
    assert "jr_672" in [one.id for one in found]
    assert glue.pages == 4
    assert len(job_runs(target, "shop-bronze-to-silver", 5)) == 5
