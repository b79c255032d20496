"""What CloudFormation leaves behind on purpose: buckets, their key, final snapshots. Deleted only where data may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion_cli.aws import s3
from medallion_cli.errors import AwsError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

KEY_DAYS = 7  # the shortest wait that KMS allows before it deletes a key
GONE = ("NoSuchBucket", "404", "KMSInvalidStateException", "NotFoundException", "ResourceNotFoundException")


def delete_bucket(target: Target, bucket: str) -> int:
    """Empties and deletes a bucket; how many objects it held. One that is gone held none."""
    try:
        count = s3.empty(target, bucket)
        target.client("s3").delete_bucket(Bucket=bucket)
    except AwsError as error:
        if error.code not in GONE:
            raise
        return 0
    return count


def delete_key(target: Target, arn: str) -> None:
    """Has the key deleted after KMS's waiting time; nothing happens when that is under way."""
    try:
        target.client("kms").schedule_key_deletion(KeyId=arn, PendingWindowInDays=KEY_DAYS)
    except AwsError as error:
        if error.code not in GONE:
            raise


def delete_database_snapshots(target: Target, database: str) -> int:
    """Deletes the snapshots that a deleted RDS instance left; how many."""
    client = target.client("rds")
    found = client.describe_db_snapshots(DBInstanceIdentifier=database, SnapshotType="manual")["DBSnapshots"]
    for snapshot in found:
        client.delete_db_snapshot(DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"])
    return len(found)


def delete_warehouse_snapshots(target: Target, namespace: str) -> int:
    """Deletes the snapshots that a deleted Redshift Serverless namespace left; how many."""
    client = target.client("redshift-serverless")
    found = client.list_snapshots(namespaceName=namespace)["snapshots"]
    for snapshot in found:
        client.delete_snapshot(snapshotName=snapshot["snapshotName"])
    return len(found)
