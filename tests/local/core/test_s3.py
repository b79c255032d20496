"""S3 over plain files, as boto3 speaks it by default."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.local.core.conftest import Daemon

pytestmark = pytest.mark.engine
BUCKET = "core-bucket"


@pytest.fixture
def s3(daemon: Daemon) -> Iterator[Any]:
    client = daemon.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", []):
            client.delete_object(Bucket=BUCKET, Key=entry["Key"])
    client.delete_bucket(Bucket=BUCKET)


def keys(client: Any, **params: Any) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, **params)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def code(failed: pytest.ExceptionInfo[ClientError]) -> str:
    return str(failed.value.response["Error"]["Code"])


@pytest.mark.parametrize("body", [b"", b"hello", os.urandom(3_000_000)], ids=["empty", "small", "3 MB"])
def test_an_object_comes_back_as_it_went(s3: Any, body: bytes) -> None:
    put = s3.put_object(Bucket=BUCKET, Key="a/b c+ü=1.bin", Body=body)
    got = s3.get_object(Bucket=BUCKET, Key="a/b c+ü=1.bin")
    head = s3.head_object(Bucket=BUCKET, Key="a/b c+ü=1.bin")
    assert got["Body"].read() == body
    assert head["ContentLength"] == len(body)
    assert put["ETag"] == got["ETag"] == head["ETag"]
    assert s3.list_objects_v2(Bucket=BUCKET)["Contents"][0]["ETag"] == put["ETag"]


@pytest.mark.parametrize(
    ("asked", "expected"), [("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-2", b"89")]
)
def test_a_range(s3: Any, asked: str, expected: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    assert s3.get_object(Bucket=BUCKET, Key="k", Range=asked)["Body"].read() == expected


def test_a_multipart_upload_and_a_ranged_download(s3: Any) -> None:
    body = os.urandom(17_000_000)
    s3.upload_fileobj(
        io.BytesIO(body),
        BUCKET,
        "big",
        Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20),
    )
    back = io.BytesIO()
    s3.download_fileobj(BUCKET, "big", back)
    assert back.getvalue() == body


def test_an_aborted_upload_leaves_nothing(s3: Any, daemon: Daemon) -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    s3.upload_part(Bucket=BUCKET, Key="k", UploadId=upload, PartNumber=1, Body=b"part")
    s3.abort_multipart_upload(Bucket=BUCKET, Key="k", UploadId=upload)
    assert keys(s3) == []
    assert not any((daemon.state / "uploads").iterdir())


def test_a_listing_pages_in_key_order_and_groups_by_prefix(s3: Any) -> None:
    names = [f"t/{n:03d}" for n in range(25)] + ["t-1", "t.x/1", "u/v/1", "u/v/2", "u/w"]
    for name in names:
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"x")
    assert keys(s3, PaginationConfig={"PageSize": 7}) == sorted(names)
    assert keys(s3, Prefix="t/02") == [f"t/{n:03d}" for n in range(20, 25)]
    page = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/")
    assert [p["Prefix"] for p in page["CommonPrefixes"]] == ["t.x/", "t/", "u/"]
    assert [e["Key"] for e in page["Contents"]] == ["t-1"]
    grouped = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    assert [p["Prefix"] for page in grouped for p in page.get("CommonPrefixes", [])] == ["t.x/", "t/", "u/"]


def test_a_file_that_spark_wrote_is_an_object_and_its_checksum_is_not(s3: Any, daemon: Daemon) -> None:
    folder = daemon.state / "objects" / BUCKET / "warehouse" / "t"
    folder.mkdir(parents=True)
    (folder / "part-0.parquet").write_bytes(b"rows")
    (folder / ".part-0.parquet.crc").write_bytes(b"crc")
    assert keys(s3) == ["warehouse/t/part-0.parquet"]
    assert s3.get_object(Bucket=BUCKET, Key="warehouse/t/part-0.parquet")["Body"].read() == b"rows"
    s3.delete_object(Bucket=BUCKET, Key="warehouse/t/part-0.parquet")
    assert keys(s3) == []
    (folder / ".part-0.parquet.crc").unlink(missing_ok=True)


def test_a_copy_and_a_batch_delete(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="from/ä 1", Body=b"x")
    s3.copy_object(Bucket=BUCKET, Key="to", CopySource={"Bucket": BUCKET, "Key": "from/ä 1"})
    assert s3.get_object(Bucket=BUCKET, Key="to")["Body"].read() == b"x"
    gone = s3.delete_objects(
        Bucket=BUCKET, Delete={"Objects": [{"Key": "from/ä 1"}, {"Key": "to"}, {"Key": "never"}]}
    )
    assert len(gone["Deleted"]) == 3
    assert keys(s3) == []


@pytest.mark.parametrize("key", ["../other/x", "a/../../x", "a//b", "./x"])
def test_a_key_that_leaves_its_bucket_is_refused(s3: Any, daemon: Daemon, key: str) -> None:
    before = sorted(p for p in daemon.state.rglob("x"))
    with pytest.raises(ClientError):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert sorted(p for p in daemon.state.rglob("x")) == before


def test_a_key_beside_its_own_folder_is_refused_and_loses_nothing(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"1")
    with pytest.raises(ClientError) as beside:
        s3.put_object(Bucket=BUCKET, Key="a/b", Body=b"2")
    assert code(beside) == "InvalidArgument"
    assert s3.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"1"


def test_a_broken_body_replaces_nothing(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"old")
    with pytest.raises(ClientError):
        s3.put_object(Bucket=BUCKET, Key="k", Body=b"new", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"old"


def test_what_is_not_there_has_awss_codes(s3: Any) -> None:
    with pytest.raises(ClientError) as no_key:
        s3.get_object(Bucket=BUCKET, Key="no")
    with pytest.raises(ClientError) as no_head:
        s3.head_object(Bucket=BUCKET, Key="no")
    with pytest.raises(ClientError) as no_bucket:
        s3.list_objects_v2(Bucket="no-such-bucket")
    assert (code(no_key), code(no_head), code(no_bucket)) == ("NoSuchKey", "404", "NoSuchBucket")


def test_a_full_bucket_cannot_be_deleted_and_a_policy_is_kept(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    with pytest.raises(ClientError) as full:
        s3.delete_bucket(Bucket=BUCKET)
    assert code(full) == "BucketNotEmpty"
    s3.put_bucket_policy(Bucket=BUCKET, Policy='{"Version":"2012-10-17","Statement":[]}')
    assert '"2012-10-17"' in s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
