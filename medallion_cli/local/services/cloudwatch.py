"""CloudWatch metrics: what a state machine puts is kept by name, newest last; nothing here alarms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

KEPT = 1_000  # values of one metric


def create(runtime: Runtime) -> Service:
    """The service."""
    return CloudWatch(runtime)


class CloudWatch(Service):
    """Amazon CloudWatch, as far as a program that publishes its own metrics needs it."""

    name = "cloudwatch"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def put_metric_data(self, params: dict[str, Any]) -> dict[str, Any]:
        """Keeps the values; AWS's own namespaces are AWS's."""
        namespace = params["Namespace"]
        if namespace.startswith("AWS/"):
            message = "The value AWS/ for parameter Namespace is invalid."
            raise ServiceError("InvalidParameterValue", message)
        with self.runtime.store.changing("cloudwatch", {}) as metrics:
            for datum in params.get("MetricData") or []:
                values = metrics.setdefault(_key(namespace, datum), [])
                values.append([datetime.now(UTC).isoformat(), float(datum.get("Value", 0))])
                del values[:-KEPT]
        return {}

    def get_metric_statistics(self, params: dict[str, Any]) -> dict[str, Any]:
        """Of AWS's own metrics only what DMS measures of a task's lag, as it is now; nothing of a task that stands still."""
        label = {"Label": params["MetricName"]}
        wanted = ("CDCLatencySource", "CDCLatencyTarget")
        if params["Namespace"] != "AWS/DMS" or params["MetricName"] not in wanted:
            return {**label, "Datapoints": []}
        names = {one["Name"]: one["Value"] for one in params.get("Dimensions") or []}
        dms: Any = self.runtime.services["dms"]
        seconds = dms.latency(names.get("ReplicationTaskIdentifier", ""))
        if seconds is None:
            return {**label, "Datapoints": []}
        point = dict.fromkeys(params.get("Statistics") or [], seconds)
        return {**label, "Datapoints": [{"Timestamp": datetime.now(UTC), "Unit": "Seconds", **point}]}


def _key(namespace: str, datum: dict[str, Any]) -> str:
    dimensions = [f"{one['Name']}={one['Value']}" for one in datum.get("Dimensions") or []]
    return "|".join([namespace, datum["MetricName"], *sorted(dimensions)])
