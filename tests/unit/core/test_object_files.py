"""Objects as files: writers and deleters of one prefix do not trip over each other's folders."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from medallion_cli.local.runtime import Credentials, Runtime
from medallion_cli.local.services import s3


def test_keys_of_one_prefix_come_and_go_at_once(tmp_path: Path) -> None:
    runtime = Runtime(tmp_path, tmp_path, "us-east-1", "http://127.0.0.1:1", Credentials("a", "s"), {})
    store = s3.create(runtime)
    store.create_bucket({"Bucket": "bucket"})

    def come_and_go(number: int) -> None:
        for _ in range(100):
            where = {"Bucket": "bucket", "Key": f"p/q/{number}"}
            store.put_object({**where, "Body": b"x"})
            assert store.get_object(where)["Body"] == b"x"
            store.delete_object(where)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come_and_go, range(4)))
    assert store.list_objects_v2({"Bucket": "bucket"})["Contents"] == []
