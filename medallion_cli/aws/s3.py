"""S3 objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.errors import Asked
from medallion_cli.aws.session import translated
from medallion_cli.errors import AwsError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

BATCH = 1000  # S3's limit for one DeleteObjects


def keys(target: Target, bucket: str, prefix: str = "") -> Iterator[str]:
    """The keys under a prefix, in order."""
    for page in _pages(target, Bucket=bucket, Prefix=prefix):
        yield from (entry["Key"] for entry in page.get("Contents", []))


def folders(target: Target, bucket: str, prefix: str, after: str = "") -> list[str]:
    """The names directly under a prefix (without it, without the slash), those after `after` alone."""
    start = {"StartAfter": f"{prefix}{after}"} if after else {}
    pages = _pages(target, Bucket=bucket, Prefix=prefix, Delimiter="/", **start)
    return [e["Prefix"][len(prefix) : -1] for page in pages for e in page.get("CommonPrefixes", [])]


def first_after(target: Target, bucket: str, prefix: str, key: str) -> tuple[str, datetime] | None:
    """The first object under a prefix whose key comes after `key`, and when it was written; None without one."""
    page = target.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, StartAfter=key, MaxKeys=1)
    found = page.get("Contents", [])
    return (found[0]["Key"], found[0]["LastModified"]) if found else None


def exists(target: Target, bucket: str, key: str) -> bool:
    """Whether the object is there."""
    try:
        target.client("s3").head_object(Bucket=bucket, Key=key)
    except AwsError as error:
        if error.code in ("404", "NoSuchKey", "NotFound"):
            return False
        raise
    return True


def read_text(target: Target, bucket: str, key: str) -> str | None:
    """The object's text; None when it is not there."""
    try:
        found = target.client("s3").get_object(Bucket=bucket, Key=key)
        body: bytes = translated(found["Body"].read, Asked("s3", "GetObject", target.settings))()
    except AwsError as error:
        if error.code in ("NoSuchKey", "404"):
            return None
        raise
    return body.decode()


def read_bytes(target: Target, bucket: str, key: str) -> bytes:
    """The object's content. AwsError when it is not there."""
    found = target.client("s3").get_object(Bucket=bucket, Key=key)
    body: bytes = translated(found["Body"].read, Asked("s3", "GetObject", target.settings))()
    return body


def put_text(target: Target, bucket: str, key: str, text: str) -> None:
    """Writes an object."""
    put_bytes(target, bucket, key, text.encode())


def put_bytes(target: Target, bucket: str, key: str, content: bytes) -> None:
    """Writes an object."""
    target.client("s3").put_object(Bucket=bucket, Key=key, Body=content)


def began(target: Target, bucket: str, prefix: str) -> datetime | None:
    """When the oldest object under a prefix was written; None without one."""
    pages = _pages(target, Bucket=bucket, Prefix=prefix)
    return min((entry["LastModified"] for page in pages for entry in page.get("Contents", [])), default=None)


def listed(target: Target, bucket: str, prefix: str) -> Iterator[tuple[str, int, datetime]]:
    """Key, bytes and moment of writing of every object under a prefix, in key order."""
    for page in _pages(target, Bucket=bucket, Prefix=prefix):
        yield from ((e["Key"], e["Size"], e["LastModified"]) for e in page.get("Contents", []))


def sizes(target: Target, bucket: str) -> Iterator[int]:
    """The bytes of each object."""
    for page in _pages(target, Bucket=bucket):
        yield from (entry["Size"] for entry in page.get("Contents", []))


def delete(target: Target, bucket: str, names: Sequence[str]) -> int:
    """Deletes objects; how many. AwsError when S3 kept one."""
    for start in range(0, len(names), BATCH):
        batch = [{"Key": name} for name in names[start : start + BATCH]]
        answer = target.client("s3").delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
        for kept in answer.get("Errors", []):  # the request itself succeeds
            raise AwsError(
                kept["Code"], f"s3://{bucket}/{kept['Key']} was not deleted: {kept.get('Message', '')}"
            )
    return len(names)


def empty(target: Target, bucket: str) -> int:
    """Deletes every object of a bucket (none of ours keeps versions); how many."""
    return delete(target, bucket, [*keys(target, bucket)])


def _pages(target: Target, **params: Any) -> Iterator[dict[str, Any]]:
    token: dict[str, str] = {}
    while True:
        page = target.client("s3").list_objects_v2(**params, **token)
        yield page
        if not page.get("IsTruncated"):
            return
        token = {"ContinuationToken": page["NextContinuationToken"]}
