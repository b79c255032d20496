"""What CloudFormation leaves behind on purpose: buckets, their key, final snapshots. Deleted only where data may go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from medallion_cli.aws import s3
from medallion_cli.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medallion_cli.aws.session import Target

KEY_DAYS = 7  # the shortest wait that KMS allows before it deletes a key
GONE = ("NoSuchBucket", "404", "KMSInvalidStateException", "NotFoundException", "ResourceNotFoundException")
LAYERS = "bronze|silver|staging|artifacts"
COUNTED = 20_000  # objects whose sizes are added up; a larger bucket is told as at least that


@dataclass(frozen=True)
class Leftover:
    """One thing that stays; `gigabytes` None: not known."""

    kind: str  # bucket, key, database snapshot, warehouse snapshot
    name: str
    gigabytes: float | None = None
    detail: str = ""


def find(target: Target, prefix: str) -> Iterator[Leftover]:
    """What an environment has left, whether its stacks are there or not; the key is told by a bucket."""
    keys: set[str] = set()
    for bucket in buckets(target, prefix):
        sizes = list(islice(s3.sizes(target, bucket), COUNTED))
        detail = f"{'at least ' if len(sizes) == COUNTED else ''}{len(sizes):,} objects"
        yield Leftover("bucket", bucket, sum(sizes) / 1e9, detail)
        keys |= {key for key in [key_of(target, bucket)] if key}
    yield from (Leftover("key", key) for key in sorted(keys))
    for snapshot, size in database_snapshots(target, f"{prefix}-source"):
        yield Leftover("database snapshot", snapshot, size)
    for snapshot, megabytes, detail in warehouse_snapshots(target, f"{prefix}-warehouse"):
        yield Leftover("warehouse snapshot", snapshot, megabytes / 1000, detail)


def buckets(target: Target, prefix: str) -> list[str]:
    """The buckets of an environment: its prefix, a layer, and the end of a stack's id (see infra_templates/storage.yaml)."""
    named = re.compile(rf"{re.escape(prefix)}-({LAYERS})-[0-9a-f]{{12}}")
    found = target.client("s3").list_buckets()["Buckets"]
    return sorted(b["Name"] for b in found if named.fullmatch(b["Name"]))


def key_of(target: Target, bucket: str) -> str | None:
    """The ARN of the key that a bucket encrypts with; None of one that has none, or is gone."""
    try:
        found = target.client("s3").get_bucket_encryption(Bucket=bucket)
    except AwsError as error:
        if error.code in (*GONE, "ServerSideEncryptionConfigurationNotFoundError"):
            return None
        raise
    rules = found["ServerSideEncryptionConfiguration"]["Rules"]
    told = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") for rule in rules]
    return next((str(key) for key in told if key), None)


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


def database_snapshots(target: Target, database: str) -> list[tuple[str, float]]:
    """(name, GB allocated) of the snapshots that a deleted RDS instance left."""
    found = target.client("rds").describe_db_snapshots(DBInstanceIdentifier=database, SnapshotType="manual")
    return [(s["DBSnapshotIdentifier"], float(s.get("AllocatedStorage", 0))) for s in found["DBSnapshots"]]


def delete_database_snapshots(target: Target, database: str) -> int:
    """Deletes them; how many."""
    found = database_snapshots(target, database)
    for snapshot, _ in found:
        target.client("rds").delete_db_snapshot(DBSnapshotIdentifier=snapshot)
    return len(found)


def warehouse_snapshots(target: Target, namespace: str) -> list[tuple[str, float, str]]:
    """(name, MB, until when) of the snapshots that a deleted Redshift Serverless namespace left."""
    found = target.client("redshift-serverless").list_snapshots(namespaceName=namespace)["snapshots"]
    return [(s["snapshotName"], float(s.get("totalBackupSizeInMegaBytes", 0)), _until(s)) for s in found]


def _until(snapshot: dict[str, object]) -> str:
    days = snapshot.get("snapshotRemainingDays")
    return f"AWS deletes it in {days} days" if isinstance(days, int) and days > 0 else ""


def delete_warehouse_snapshots(target: Target, namespace: str) -> int:
    """Deletes them; how many."""
    found = warehouse_snapshots(target, namespace)
    for snapshot, _, _ in found:
        target.client("redshift-serverless").delete_snapshot(snapshotName=snapshot)
    return len(found)
