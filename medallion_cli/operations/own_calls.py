"""The AWS operations that the tool itself asks for, as the person who types a command; a test compares the source with it.

What functions, jobs and the state machine ask for is not here: they have roles of their own.
"""

from __future__ import annotations

from medallion_cli.aws.errors import ACTIONS

# botocore's service → its operations
CALLS: dict[str, tuple[str, ...]] = {
    "cloudformation": (
        "ContinueUpdateRollback",
        "CreateChangeSet",
        "DeleteChangeSet",
        "DeleteStack",
        "DescribeChangeSet",
        "DescribeStackDriftDetectionStatus",
        "DescribeStackEvents",
        "DescribeStackResourceDrifts",
        "DescribeStacks",
        "DetectStackDrift",
        "ExecuteChangeSet",
        "UpdateTerminationProtection",
    ),
    "cloudwatch": ("GetMetricStatistics",),
    "dms": (
        "DescribeAccountAttributes",
        "DescribeEndpoints",
        "DescribeOrderableReplicationInstances",
        "DescribeReplicationInstances",
        "DescribeReplicationTasks",
        "DescribeTableStatistics",
        "ModifyEndpoint",
        "ModifyReplicationInstance",
        "ReloadTables",
        "StartReplicationTask",
        "StopReplicationTask",
    ),
    "ec2": (
        "DescribeRegions",
        "DescribeVpcs",
    ),
    "glue": (
        "GetJob",
        "GetJobRun",
        "GetJobRuns",
        "StartJobRun",
        "UpdateJob",
    ),
    "iam": ("GetRole",),
    "kms": ("ScheduleKeyDeletion",),
    "lambda": (
        "GetAccountSettings",
        "GetFunctionConfiguration",
        "Invoke",
        "UpdateFunctionCode",
    ),
    "logs": (
        "DescribeLogGroups",
        "FilterLogEvents",
    ),
    "quicksight": ("DescribeAccountSubscription",),
    "rds": (
        "DeleteDBSnapshot",
        "DescribeAccountAttributes",
        "DescribeDBInstances",
        "DescribeDBSnapshots",
        "DescribeOrderableDBInstanceOptions",
        "StartDBInstance",
        "StopDBInstance",
    ),
    "redshift-data": (
        "BatchExecuteStatement",
        "CancelStatement",
        "DescribeStatement",
        "ExecuteStatement",
        "GetStatementResult",
    ),
    "redshift-serverless": (
        "CreateUsageLimit",
        "DeleteSnapshot",
        "GetNamespace",
        "GetWorkgroup",
        "ListSnapshots",
        "ListUsageLimits",
        "UpdateUsageLimit",
    ),
    "s3": (
        "DeleteBucket",
        "DeleteObjects",
        "GetBucketEncryption",
        "GetObject",
        "HeadObject",
        "ListBuckets",
        "ListObjectsV2",
        "PutObject",
    ),
    "scheduler": (
        "GetSchedule",
        "GetScheduleGroup",
        "UpdateSchedule",
    ),
    "secretsmanager": ("GetSecretValue",),
    "service-quotas": ("GetServiceQuota",),
    "ssm": (
        "DeleteParameter",
        "GetParameter",
        "PutParameter",
    ),
    "stepfunctions": (
        "DescribeExecution",
        "GetExecutionHistory",
        "ListExecutions",
        "RedriveExecution",
        "StartExecution",
        "StopExecution",
    ),
    "sts": ("GetCallerIdentity",),
}
# Where IAM's name of a service is another one.
SERVICES = {"service-quotas": "servicequotas", "stepfunctions": "states"}
FREE = {"sts:GetCallerIdentity"}  # needs no permission


def actions() -> frozenset[str]:
    """IAM's names of them."""
    asked = {f"{SERVICES.get(service, service)}:{name}" for service, names in CALLS.items() for name in names}
    return frozenset(ACTIONS.get(action, action) for action in asked - FREE)
