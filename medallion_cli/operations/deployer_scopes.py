"""What the deployer's policy says by hand: names of an environment's resources, and why some actions can't be narrowed.

`<prefix>` is the environment's prefix, `<made>` the beginning of a name that CloudFormation makes up (from the stack's, cut to
24 characters), `<database>` silver's in the Glue catalog, `<secret>` the logical id of a secret, with which its name begins.
Identifiers that AWS makes up have no name in them: those are scoped by their kind, the region and the account.
"""

from __future__ import annotations

from typing import Any

_EC2 = ("flow-log", "route-table", "security-group", "security-group-rule", "subnet", "vpc", "vpc-endpoint")


def _of(service: str, *names: str) -> tuple[str, ...]:
    return tuple(f"arn:aws:{service}:<region>:<account>:{name}" for name in names)


# service → kind of resource, as the Service Authorization Reference calls it → ARNs
SCOPES: dict[str, dict[str, tuple[str, ...]]] = {
    "cloudformation": {"stack": _of("cloudformation", "stack/<prefix>-*/*")},
    "cloudwatch": {"alarm": _of("cloudwatch", "alarm:<prefix>-*")},
    "dms": {
        "certificate": _of("dms", "cert:*"),
        "endpoint": _of("dms", "endpoint:*"),
        "replicationinstance": _of("dms", "rep:*"),
        "replicationsubnetgroup": _of("dms", "subgrp:<prefix>-*"),
        "replicationtask": _of("dms", "task:*"),
    },
    "ec2": {
        **{kind: _of("ec2", f"{kind}/*") for kind in _EC2},
        "vpc-flow-log": _of("ec2", "vpc-flow-log/*"),
    },
    "events": {
        "rule-on-default-event-bus": _of("events", "rule/<prefix>-*"),
    },
    "glue": {
        "catalog": _of("glue", "catalog"),
        "database": _of("glue", "database/<database>"),
        "table": _of("glue", "table/<database>/*"),
        "userdefinedfunction": _of("glue", "userDefinedFunction/<database>/*"),
        "job": _of("glue", "job/<prefix>-*"),
    },
    "iam": {
        "role": (
            "arn:aws:iam::<account>:role/<made>*",
            "arn:aws:iam::<account>:role/dms-vpc-role",
            "arn:aws:iam::<account>:role/dms-cloudwatch-logs-role",
        )
    },
    "kms": {"key": _of("kms", "key/*")},
    "lambda": {"function": _of("lambda", "function:<prefix>-*")},
    "logs": {"log-group": _of("logs", "log-group:*<prefix>*")},
    "quicksight": {
        "account": ("arn:aws:quicksight:*:<account>:account/<account>",),
        "dashboard": _of("quicksight", "dashboard/<prefix>*"),
        "dataset": _of("quicksight", "dataset/<prefix>-*"),
        "datasource": _of("quicksight", "datasource/<prefix>-*"),
        "refreshschedule": _of("quicksight", "dataset/<prefix>-*"),
        "ingestion": _of("quicksight", "dataset/<prefix>-*"),
        "vpcconnection": _of("quicksight", "vpcConnection/<prefix>-*"),
    },
    "rds": {
        "db": _of("rds", "db:<prefix>-*"),
        "pg": _of("rds", "pg:<made>*"),
        "snapshot": _of("rds", "snapshot:<made>*"),
        "subgrp": _of("rds", "subgrp:<made>*"),
        "og": _of("rds", "og:default:*"),  # the one that every instance is in
    },
    "lakeformation": {},
    "redshift": {"namespace": _of("redshift", "namespace:*")},
    "redshift-data": {"workgroup": _of("redshift-serverless", "workgroup/*")},
    "redshift-serverless": {
        "namespace": _of("redshift-serverless", "namespace/*"),
        "snapshot": _of("redshift-serverless", "snapshot/*"),
        "workgroup": _of("redshift-serverless", "workgroup/*"),
    },
    "s3": {"bucket": ("arn:aws:s3:::<prefix>-*",), "object": ("arn:aws:s3:::<prefix>-*/*",)},
    "scheduler": {
        "schedule": _of("scheduler", "schedule/<prefix>/<prefix>-*"),
        "schedule-group": _of("scheduler", "schedule-group/<prefix>"),
    },
    "secretsmanager": {"secret": _of("secretsmanager", "secret:<secret>-*")},
    "servicequotas": {"quota": _of("servicequotas", "vpc/L-F678F1CE")},
    "sns": {"topic": _of("sns", "<prefix>-*")},
    "sqs": {"queue": _of("sqs", "<prefix>-*")},
    "ssm": {"parameter": _of("ssm", "parameter/<prefix>/*")},
    "states": {
        "execution": _of("states", "execution:<prefix>-*"),
        "statemachine": _of("states", "stateMachine:<prefix>-*"),
    },
}

# CloudFormation's older types, which have no permissions in their schema.
TYPES_WITHOUT_SCHEMA = {
    "AWS::DMS::ReplicationInstance": (
        "dms:AddTagsToResource",
        "dms:CreateReplicationInstance",
        "dms:DeleteReplicationInstance",
        "dms:DescribeReplicationInstances",
        "dms:ListTagsForResource",
        "dms:ModifyReplicationInstance",
        "dms:RemoveTagsFromResource",
    ),
}
LINKED = "iam:CreateServiceLinkedRole"
# What no schema and no call of ours names, and is needed all the same; values are services of the condition.
IMPLIED: dict[str, tuple[str, ...]] = {
    # A service makes its own role when an account uses it for the first time.
    LINKED: ("rds.amazonaws.com", "redshift.amazonaws.com"),
    # A stack's drift is that of its resources.
    "cloudformation:BatchDescribeTypeConfigurations": (),
    "cloudformation:DetectStackResourceDrift": (),
    # Stacks are made with tags.
    "cloudformation:TagResource": (),
    "cloudformation:UntagResource": (),
    # S3 and the Data API read and write with the key of who asks.
    "kms:Decrypt": (),
    "kms:GenerateDataKey": (),
}
_CHANGES = r"(?!Get|List|Describe)\w*"
# Features that change nothing unless a template sets a property: service → part of the action, property.
_OPTIONAL: dict[str, tuple[tuple[str, str], ...]] = {
    "ec2": (("CidrBlock", "Ipv6CidrBlock"), ("Tenancy", "InstanceTenancy"), ("EncryptionControl", "VpcEncryptionControl")),
    "iam": (("PermissionsBoundary", "PermissionsBoundary"),),
    "lambda": (
        ("CodeSigning", "CodeSigningConfigArn"),
        ("Concurrency", "ReservedConcurrentExecutions"),
        ("PublishVersion", "PublishToLatestPublished"),
        ("Recursion", "RecursiveLoop"),
        ("RuntimeManagement", "RuntimeManagementConfig"),
        ("Scaling", "FunctionScalingConfig"),
    ),
    "logs": (
        ("BearerToken", "BearerTokenAuthenticationEnabled"),
        ("DataProtection", "DataProtectionPolicy"),
        ("GroupDeletionProtection", "DeletionProtectionEnabled"),
        ("IndexPolicy", "FieldIndexPolicies"),
        ("ResourcePolicy", "ResourcePolicyDocument"),
    ),
    "quicksight": (
        ("Folder", "FolderArns"),
        ("RefreshProperties", "DataSetRefreshProperties"),
        ("DashboardLinks", "LinkEntities"),
    ),
    "rds": (
        ("AutomatedBackupsReplication", "AutomaticBackupReplicationRegion"),
        ("FromDBSnapshot", "DBSnapshotIdentifier"),
        ("ReadReplica", "SourceDBInstanceIdentifier"),
        ("RoleFromDB", "AssociatedRoles"),
        ("RoleToDB", "AssociatedRoles"),
        ("ToPointInTime", "RestoreTime"),
    ),
    "redshift": (("ResourcePolicy", "NamespaceResourcePolicy"),),
    "redshift-serverless": (
        ("RestoreFrom", "SnapshotName"),
        ("SnapshotCopy", "SnapshotCopyConfigurations"),
    ),
    "s3": (
        ("Abac", "AbacStatus"),
        ("Accelerate", "AccelerateConfiguration"),
        ("Acl", "AccessControl"),
        ("Analytics", "AnalyticsConfigurations"),
        ("CORS", "CorsConfiguration"),
        ("IntelligentTiering", "IntelligentTieringConfigurations"),
        ("Inventory", "InventoryConfigurations"),
        ("Logging", "LoggingConfiguration"),
        ("Metadata", "MetadataTableConfiguration"),
        ("Metrics", "MetricsConfigurations"),
        ("Notification", "NotificationConfiguration"),
        ("ObjectLock", "ObjectLockConfiguration"),
        ("Replication", "ReplicationConfiguration"),
        ("Versioning", "VersioningConfiguration"),
        ("Website", "WebsiteConfiguration"),
    ),
    "secretsmanager": (("Region", "ReplicaRegions"),),
    "sns": (("DataProtection", "DataProtectionPolicy"),),
}  # fmt: skip
FEATURES = tuple(
    (rf"{service}:{_CHANGES}{part}\w*", name) for service, parts in _OPTIONAL.items() for part, name in parts
)
# name → actions, and the condition under which they are allowed
CONDITIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "data goes through a service": (
        r"kms:(Decrypt|Encrypt|GenerateDataKey\w*|ReEncrypt\w+)",
        {"StringLike": {"kms:ViaService": "*.<region>.amazonaws.com"}},
    ),
    "services take grants": (
        r"kms:(CreateGrant|ListGrants|RevokeGrant)",
        {"Bool": {"kms:GrantIsForAWSResource": "true"}},
    ),
    # AWS makes up these identifiers; every stack tags what it makes.
    "ours is deleted": (
        r"ec2:Delete(?!Tags)\w+|dms:Delete(Endpoint|ReplicationInstance|ReplicationTask)"
        r"|redshift-serverless:Delete(Namespace|Workgroup)",
        {"StringEquals": {"aws:ResourceTag/medallion:environment": "<prefix>"}},
    ),
}
# Actions that are allowed on everything, and why AWS can't narrow them (Service Authorization Reference).
EVERYWHERE: tuple[tuple[str, str], ...] = (
    (r"cloudformation:\w+", "about detections and types, which are not a stack's"),
    (r"cloudwatch:GetMetricStatistics", "CloudWatch has no resource level for metrics"),
    (r"s3:ListAllMyBuckets", "names what there is in the account"),
    (r"ec2:Describe\w+", "EC2's lists take no resource"),
    (r"dms:Describe\w+", "DMS's lists take no resource; the filter in a request is not IAM's"),
    (r"rds:Describe\w+", "tells about the region or the account, not about an instance"),
    (r"kms:CreateKey", "a key has no ARN before it is made"),
    (r"quicksight:Create(DataSource|VPCConnection)", "QuickSight checks these against no ARN"),
    (r"quicksight:(DescribeAccountSubscription|ListIngestions|CancelIngestion)", "QuickSight checks these against no ARN"),
    (r"logs:\w+LogDelivery", "deliveries of vended logs have no ARN"),
    (r"logs:Describe\w+", "lists of CloudWatch Logs take no resource"),
    (r"lakeformation:\w+", "reading a Glue database asks Lake Formation, which has no resource level"),
    (r"iam:ListRoles", "IAM's lists take no resource"),
    (r"lambda:GetAccountSettings", "tells about the account"),
    (r"secretsmanager:GetRandomPassword", "makes a text up; no secret is touched"),
    (r"redshift-data:\w+Statement\w*", "a statement has no ARN; one sees only one's own"),
    (r"redshift-serverless:(List\w+|\w+UsageLimits?)", "Redshift Serverless gives lists and usage limits no resource level"),
)  # fmt: skip
