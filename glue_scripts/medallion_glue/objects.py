"""S3 objects by boto3 (Spark moves the data; this moves documents and lists keys)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

BATCH = 1000  # S3's limit for one DeleteObjects


@dataclass(frozen=True)
class Listed:
    """An object of a listing; size in bytes."""

    key: str
    size: int
    modified: datetime


@cache
def client() -> Any:
    """The S3 client; endpoint, region and credentials come from the environment."""
    import boto3

    return boto3.client("s3")


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def read_text(uri: str) -> str:
    """An object's text."""
    bucket, key = split(uri)
    return str(client().get_object(Bucket=bucket, Key=key)["Body"].read().decode())


def first_bytes(bucket: str, key: str, count: int) -> bytes:
    """The head of an object."""
    answer = client().get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{count - 1}")
    return bytes(answer["Body"].read())[:count]


def put_json(uri: str, document: dict[str, Any]) -> None:
    """Writes a JSON document in one PUT (all or nothing)."""
    bucket, key = split(uri)
    body = json.dumps(document, default=str).encode()
    client().put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def listed(bucket: str, prefix: str = "") -> Iterator[Listed]:
    """Every object under a prefix, in key order."""
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for entry in page.get("Contents", ()):
            yield Listed(entry["Key"], entry["Size"], entry["LastModified"])


def keys(bucket: str, prefix: str) -> Iterator[str]:
    """The keys under a prefix, in order."""
    return (entry.key for entry in listed(bucket, prefix))


def parquet_files(bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
    """Key and size in bytes of every Parquet object under a prefix, in key order."""
    return ((entry.key, entry.size) for entry in listed(bucket, prefix) if entry.key.endswith(".parquet"))


def delete(bucket: str, names: Sequence[str]) -> int:
    """Deletes objects; how many. RuntimeError when S3 kept one."""
    for start in range(0, len(names), BATCH):
        wanted = [{"Key": name} for name in names[start : start + BATCH]]
        answer = client().delete_objects(Bucket=bucket, Delete={"Objects": wanted, "Quiet": True})
        if errors := answer.get("Errors"):
            raise RuntimeError(f"s3://{bucket}/{errors[0]['Key']} was not deleted: {errors[0]['Message']}")
    return len(names)
