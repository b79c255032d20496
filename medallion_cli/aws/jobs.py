"""Glue: one job run, awaited."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import AwsError, MedallionError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target


@dataclass(frozen=True)
class JobRun:
    """One run of a Glue job; its log streams begin with its id."""

    id: str
    run_id: str  # of ours, for which it was started
    state: str
    error: str
    started_at: datetime | None
    seconds: float
    dpu_seconds: float


PAGE = 200  # Glue's limit for one GetJobRuns


def job_runs(target: Target, job: str, limit: int = PAGE, since: datetime | None = None) -> list[JobRun]:
    """The newest runs of a job, newest first; with `since` as many as it takes to reach back to that moment."""
    found: list[JobRun] = []
    token: dict[str, str] = {}
    while True:
        page = target.client("glue").get_job_runs(JobName=job, MaxResults=limit, **token)
        found += [_job_run(one) for one in page["JobRuns"]]
        reached = since is None or any(one.started_at and one.started_at < since for one in found)
        if reached or not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}


def _job_run(found: dict[str, Any]) -> JobRun:
    seconds = float(found.get("ExecutionTime") or 0)
    return JobRun(
        id=found["Id"],
        run_id=found.get("Arguments", {}).get("--run_id", ""),
        state=found["JobRunState"],
        error=found.get("ErrorMessage", ""),
        started_at=found.get("StartedOn"),
        seconds=seconds,
        dpu_seconds=float(found.get("DPUSeconds") or seconds * _dpus(found)),
    )


def _dpus(found: dict[str, Any]) -> float:
    """Data processing units of a run: its workers', where it does not say."""
    each = {"G.025X": 0.25, "G.1X": 1.0, "G.2X": 2.0, "G.4X": 4.0, "G.8X": 8.0}.get(
        found.get("WorkerType", ""), 1.0
    )
    return float(found.get("MaxCapacity") or each * float(found.get("NumberOfWorkers") or 0))


ENDED = ("SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED")


def run_job(
    target: Target,
    job: str,
    arguments: dict[str, str],
    poll_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Runs `job` to its end; waits while another run of it is in flight; MedallionError with Glue's own message."""
    client = target.client("glue")
    while True:
        try:
            run_id = client.start_job_run(JobName=job, Arguments=arguments)["JobRunId"]
            break
        except AwsError as error:
            if error.code != "ConcurrentRunsExceededException":
                raise
            sleep(poll_seconds)
    while (run := client.get_job_run(JobName=job, RunId=run_id)["JobRun"])["JobRunState"] not in ENDED:
        sleep(poll_seconds)
    if run["JobRunState"] != "SUCCEEDED":
        message = run.get("ErrorMessage") or run["JobRunState"]
        raise MedallionError(f"Glue job {job}: {message}", hint="medallion status")
