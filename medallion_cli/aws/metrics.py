"""CloudWatch: what AWS itself measures; reading it is within the free requests of an account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

WINDOW = timedelta(minutes=15)


def replication_latency(target: Target, instance: str, task: str) -> float | None:
    """Seconds from a commit at the source to its file in bronze (DMS's CDCLatencyTarget); None: not measured lately.

    `instance` and `task` are the identifiers that DMS's metrics go by: the instance's name, and the task's resource id.
    """
    now = datetime.now(UTC)
    found = target.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/DMS",
        MetricName="CDCLatencyTarget",
        Dimensions=[
            {"Name": "ReplicationInstanceIdentifier", "Value": instance},
            {"Name": "ReplicationTaskIdentifier", "Value": task},
        ],
        StartTime=now - WINDOW,
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    newest = max(found, key=lambda point: point["Timestamp"], default=None)
    return float(newest["Maximum"]) if newest else None
