"""Alarms on metrics that exist, with the dimensions that they have: another name makes an alarm that never rings."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.alarm_math import math_findings, metrics, own_metric_findings
from medallion_cli.operations.validation.documents import UNKNOWN, Document, at, listed, text, words

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

# namespace → (metrics, the sets of dimensions under which they are published); the services' own pages on monitoring
# dimension → type, and the property that it names
SUBJECTS = {
    "StateMachineArn": ("AWS::StepFunctions::StateMachine", "StateMachineName"),
    "ReplicationInstanceIdentifier": ("AWS::DMS::ReplicationInstance", "ReplicationInstanceIdentifier"),
    "DBInstanceIdentifier": ("AWS::RDS::DBInstance", "DBInstanceIdentifier"),
    "FunctionName": ("AWS::Lambda::Function", "FunctionName"),
    "QueueName": ("AWS::SQS::Queue", "QueueName"),
}
NEEDED = (
    "Namespace",
    "MetricName",
    "Statistic",
    "Period",
    "EvaluationPeriods",
    "ComparisonOperator",
    "Threshold",
)
METRICS: dict[str, tuple[frozenset[str], tuple[frozenset[str], ...]]] = {
    "AWS/States": (
        words(
            """
            ExecutionThrottled ExecutionTime ExecutionsAborted ExecutionsFailed
            ExecutionsStarted ExecutionsSucceeded ExecutionsTimedOut
            """
        ),
        (words("StateMachineArn"),),
    ),
    "AWS/DMS": (
        words(
            """
            AvailableMemory CDCChangesDiskSource CDCChangesDiskTarget CDCChangesMemorySource
            CDCChangesMemoryTarget CDCIncomingChanges CDCLatencySource CDCLatencyTarget
            CDCThroughputBandwidthSource CDCThroughputBandwidthTarget
            CDCThroughputRowsSource CDCThroughputRowsTarget CPUAllocated CPUUtilization
            DiskQueueDepth FreeMemory FreeStorageSpace FreeableMemory
            FullLoadThroughputBandwidthSource FullLoadThroughputBandwidthTarget
            FullLoadThroughputRowsSource FullLoadThroughputRowsTarget MemoryAllocated
            MemoryUsage NetworkReceiveThroughput NetworkTransmitThroughput ReadIOPS
            ReadLatency ReadThroughput SwapUsage WriteIOPS WriteLatency WriteThroughput
            """
        ),
        (
            words("ReplicationInstanceIdentifier"),
            words("ReplicationInstanceIdentifier ReplicationTaskIdentifier"),
        ),
    ),
    "AWS/RDS": (
        words(
            """
            BinLogDiskUsage BurstBalance CPUCreditBalance CPUCreditUsage CPUUtilization
            DatabaseConnections DiskQueueDepth FreeLocalStorage FreeStorageSpace
            FreeableMemory MaximumUsedTransactionIDs NetworkReceiveThroughput
            NetworkTransmitThroughput ReadIOPS ReadLatency ReadThroughput ReplicaLag
            SwapUsage WriteIOPS WriteLatency WriteThroughput
            """
        ),
        (words("DBInstanceIdentifier"), words("DatabaseClass"), words("EngineName")),
    ),
    "AWS/Lambda": (
        words(
            """
            AsyncEventAge AsyncEventsDropped AsyncEventsReceived ConcurrentExecutions
            DeadLetterErrors Duration Errors Invocations IteratorAge Throttles
            UnreservedConcurrentExecutions
            """
        ),
        (words(""), words("FunctionName"), words("FunctionName Resource")),
    ),
    "AWS/SQS": (
        words(
            """
            ApproximateAgeOfOldestMessage ApproximateNumberOfMessagesDelayed
            ApproximateNumberOfMessagesNotVisible ApproximateNumberOfMessagesVisible
            NumberOfEmptyReceives NumberOfMessagesDeleted NumberOfMessagesReceived
            NumberOfMessagesSent SentMessageSize
            """
        ),
        (words("QueueName"),),
    ),
    "AWS/Scheduler": (
        words(
            """
            InvocationAttemptCount InvocationDroppedCount InvocationThrottleCount
            InvocationsFailedToBeSentToDeadLetterCount InvocationsSentToDeadLetterCount
            TargetErrorCount TargetErrorThrottledCount
            """
        ),
        (words(""), words("ScheduleGroup")),
    ),
    "AWS/Redshift-Serverless": (
        words(
            """
            ComputeCapacity ComputeSeconds DataStorage DatabaseConnections
            QueriesCompletedPerSecond QueriesFailed QueriesQueued QueriesRunning
            QueriesSucceeded QueryDuration QueryRuntimeBreakdown SnapshotStorage
            TotalTableCount UsageLimitAvailable UsageLimitConsumed
            """
        ),
        (),
    ),
    "AWS/Glue": (
        words(""),
        (),
    ),
    "AWS/QuickSight": (
        words(""),
        (),
    ),
}


def alarm_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in an environment's alarms."""
    topics = {str(arn) for arn in _topics(deployment)}
    for stack, logical, alarm in deployment.of_type("AWS::CloudWatch::Alarm"):
        where = deployment.place(stack, logical)
        if "Metrics" in alarm:
            yield from math_findings(where, alarm)
        for path, metric in metrics(alarm):
            yield from _metric(f"{where}{path}", metric)
            yield from _subjects(deployment, f"{where}{path}", metric)
            yield from own_metric_findings(deployment, f"{where}{path}", metric)
        actions = listed(alarm, "AlarmActions")
        if not actions or (all(a is not UNKNOWN for a in actions) and not topics & set(map(str, actions))):
            yield Finding(
                f"{where}.AlarmActions", "tells nobody", "the topic of orchestration.yaml", "MED-ALM-003"
            )
        if str(alarm.get("ActionsEnabled", "true")).lower() == "false":
            yield Finding(f"{where}.ActionsEnabled", "tells nobody", "take it out", "MED-ALM-003")
        window = _number(alarm.get("Period")) * _number(alarm.get("EvaluationPeriods"))
        if window > (86_400 if _number(alarm.get("Period")) < 3600 else 604_800):
            what = f"looks back {window:g} seconds, and CloudWatch a day (or seven, by the hour) at most"
            yield Finding(f"{where}.EvaluationPeriods", what, "fewer or shorter periods", "MED-ALM-004")
    yield from _watched(deployment)


def _topics(deployment: Deployment) -> list[object]:
    return [
        stack.outputs.get("TopicArn") for stack in deployment.stacks.values() if "TopicArn" in stack.outputs
    ]


def _metric(where: str, alarm: Document) -> Iterator[Finding]:
    namespace, metric = text(alarm, "Namespace"), text(alarm, "MetricName")
    if namespace.startswith("AWS/") and namespace not in METRICS:
        near = difflib.get_close_matches(namespace, METRICS, 1)
        remedy = f"did you mean {near[0]}?" if near else f"one of: {', '.join(METRICS)}"
        yield Finding(f"{where}.Namespace", f"no service publishes to {namespace}", remedy, "MED-ALM-001")
        return
    metrics, dimensions = METRICS.get(namespace, (frozenset(), ()))
    if metrics and metric not in metrics:
        near = difflib.get_close_matches(metric, metrics, 1)
        remedy = f"did you mean {near[0]}?" if near else f"one of: {', '.join(sorted(metrics)[:8])}, …"
        yield Finding(f"{where}.MetricName", f"{namespace} has no metric {metric}", remedy, "MED-ALM-001")
    names = frozenset(text(one, "Name") for one in listed(alarm, "Dimensions"))
    if dimensions and names not in dimensions:
        shown = " or ".join("+".join(sorted(one)) or "none" for one in dimensions)
        what = f"{metric} is not published by {'+'.join(sorted(names)) or 'no dimension'}: the alarm would never ring"
        yield Finding(f"{where}.Dimensions", what, shown, "MED-ALM-002")
    if metric.startswith("CDC") and "ReplicationTaskIdentifier" not in names:
        what = f"{metric} is published by task"
        yield Finding(
            f"{where}.Dimensions",
            what,
            "ReplicationInstanceIdentifier+ReplicationTaskIdentifier",
            "MED-ALM-002",
        )


def _subjects(deployment: Deployment, where: str, alarm: Document) -> Iterator[Finding]:
    """Dimensions name resources that there are."""
    for number, dimension in enumerate(listed(alarm, "Dimensions")):
        name, value = text(dimension, "Name"), at(dimension, "Value")
        if value is UNKNOWN:
            continue
        if name in SUBJECTS and isinstance(value, str):
            kind, key = SUBJECTS[name]
            known = [str(p.get(key)) for _, _, p in deployment.of_type(kind)]
            if (value.rpartition(":stateMachine:")[2] or value) not in known:
                what = f"{name} {value} is none of the templates'"
                yield Finding(
                    f"{where}.Dimensions[{number}]", what, f"one of: {', '.join(known)}", "MED-ALM-007"
                )


def _watched(deployment: Deployment) -> Iterator[Finding]:
    """What an operator has to hear of."""
    watched = {
        (text(alarm, "Namespace"), text(alarm, "MetricName"))
        for _, _, alarm in deployment.of_type("AWS::CloudWatch::Alarm")
    }
    wanted = {
        ("AWS/States", "ExecutionsFailed"): "failed runs",
        ("AWS/DMS", "CDCLatencySource"): "the lag of replication",
        ("AWS/DMS", "CDCLatencyTarget"): "the lag of bronze",
        ("AWS/RDS", "FreeStorageSpace"): "a full source",
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): "starts that failed",
    }
    for (namespace, metric), what in wanted.items():
        if (namespace, metric) not in watched:
            where = "infra_templates/observability.yaml Resources"
            yield Finding(
                where, f"no alarm tells of {what}", f"an alarm on {namespace} {metric}", "MED-ALM-005"
            )
    for stack, logical, alarm in deployment.of_type("AWS::CloudWatch::Alarm"):
        for key in () if "Metrics" in alarm else NEEDED:
            if at(alarm, key) is None:
                where = deployment.place(stack, logical, key)
                yield Finding(
                    where, f"the alarm has no {key}, and CloudWatch refuses it", f"set {key}", "MED-ALM-006"
                )


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0
