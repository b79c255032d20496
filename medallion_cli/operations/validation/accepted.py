"""What the linters of IAM and of security take as it is, each with its reason. The only such list."""

from __future__ import annotations

from dataclasses import dataclass

# Actions on all resources ("*"): AWS has no resource level for them (Service Authorization Reference).
EVERYWHERE = {
    "cloudwatch:PutMetricData": "metrics have no ARN; a condition limits the namespace",
    "dms:DescribeEndpoints": "lists take no resource; the filter in the request is not IAM's",
    "dms:DescribeReplicationTasks": "lists take no resource; the filter in the request is not IAM's",
    "ec2:DescribeSecurityGroups": "EC2's lists take no resource",
    "ec2:DescribeSubnets": "EC2's lists take no resource",
    "logs:CreateLogDelivery": "deliveries of vended logs have no ARN",
    "logs:DeleteLogDelivery": "deliveries of vended logs have no ARN",
    "logs:DescribeLogGroups": "Step Functions looks for its log group over all of them",
    "logs:DescribeResourcePolicies": "the policies of CloudWatch Logs are the account's",
    "logs:GetLogDelivery": "deliveries of vended logs have no ARN",
    "logs:ListLogDeliveries": "deliveries of vended logs have no ARN",
    "logs:PutResourcePolicy": "the policies of CloudWatch Logs are the account's",
    "logs:UpdateLogDelivery": "deliveries of vended logs have no ARN",
    "redshift-data:DescribeStatement": "a statement has no ARN; one sees only one's own",
    "redshift-data:GetStatementResult": "a statement has no ARN; one sees only one's own",
}

# AWS's own policies that roles may carry.
MANAGED = {
    "AmazonDMSCloudWatchLogsRole": "DMS asks for this very policy on dms-cloudwatch-logs-role",
    "AmazonDMSVPCManagementRole": "DMS asks for this very policy on dms-vpc-role",
    "AmazonRDSEnhancedMonitoringRole": "RDS asks for this very policy",
    "AWSLambdaVPCAccessExecutionRole": "Lambda asks for it where functions are in a network",
}


@dataclass(frozen=True)
class Accepted:
    """One check (checkov's id) that resources (Type.LogicalId, or a beginning of it) need not pass."""

    check: str
    resources: tuple[str, ...]
    reason: str


BUCKETS = ("AWS::S3::Bucket.",)
EXCEPTIONS = (
    Accepted("CKV_AWS_18", BUCKETS, "access is on record in CloudTrail's data events, where the account keeps them"),
    Accepted("CKV_AWS_21", BUCKETS, "no versions: what `medallion erase` removes is gone, and DMS lists bronze quickly"),
    Accepted("CKV_AWS_27", ("AWS::SQS::Queue.DeadLetters",), "is encrypted by SQS itself (SqsManagedSseEnabled)"),
    Accepted("CKV_AWS_115", ("AWS::Lambda::Function.",), "accounts begin with ten executions and can reserve none"),
    Accepted("CKV_AWS_116", ("AWS::Lambda::Function.",), "the scheduler has a dead-letter queue, errors an alarm"),
    Accepted("CKV_AWS_118", ("AWS::RDS::DBInstance.Database",), "MonitoringSeconds: none in dev, a minute in prod"),
    Accepted("CKV_AWS_157", ("AWS::RDS::DBInstance.Database",), "MultiAZ: off in dev, on in prod"),
    Accepted("CKV_AWS_161", ("AWS::RDS::DBInstance.Database",), "DMS signs in by a generated secret; it has no IAM sign-in"),
    Accepted("CKV_AWS_195", ("AWS::Glue::Job.",), "buckets and log groups encrypt what jobs write; they use no bookmarks"),
)  # fmt: skip


def accepted(check: str, resource: str) -> str | None:
    """Why `Type.LogicalId` need not pass a check; None when it has to."""
    for exception in EXCEPTIONS:
        if exception.check == check and resource.startswith(exception.resources):
            return exception.reason
    return None
