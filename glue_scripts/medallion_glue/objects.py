"""S3 objects by boto3 (Spark moves the data; this moves documents and lists keys)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any


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


def put_json(uri: str, document: dict[str, Any]) -> None:
    """Writes a JSON document in one PUT (all or nothing)."""
    bucket, key = split(uri)
    body = json.dumps(document, default=str).encode()
    client().put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def parquet_files(bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
    """Key and size in bytes of every Parquet object under a prefix, in key order."""
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for entry in page.get("Contents", ()):
            if entry["Key"].endswith(".parquet"):
                yield entry["Key"], entry["Size"]
