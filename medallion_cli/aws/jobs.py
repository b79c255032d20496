"""Glue: one job run, awaited."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from medallion_cli.errors import AwsError, MedallionError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

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
