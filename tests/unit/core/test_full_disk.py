"""A disk that is full: the database waits for space without a word, so somebody else has to tell."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medallion_cli.aws.source import _failure
from medallion_cli.errors import MedallionError
from medallion_cli.local import space
from medallion_cli.local.engines.mariadb import MariaDB
from medallion_cli.local.runtime import Credentials, Runtime
from medallion_cli.local.services import lambda_
from medallion_cli.local.services.rds import Rds

WAITS = """
import time
def handler(event, context):
    time.sleep(event["seconds"])
    return event
"""


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What is left of the disk, in megabytes."""
    left = SimpleNamespace(megabytes=5_000)
    monkeypatch.setattr(space.shutil, "disk_usage", lambda path: SimpleNamespace(free=left.megabytes << 20))
    return left


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return Runtime(tmp_path, tmp_path, "us-east-1", "http://127.0.0.1:1", Credentials("a", "b"), {})


def run(runtime: Runtime, seconds: float, timeout: int = 60) -> tuple[bool, dict[str, Any]]:
    (runtime.state / "waits.py").write_text(WAITS)
    function = {
        "FunctionName": "f", "Handler": "waits.handler", "Timeout": timeout, "folder": str(runtime.state),
    }  # fmt: skip
    service = lambda_.create(runtime)
    try:
        failed, answer = service._run(function, json.dumps({"seconds": seconds}).encode())  # type: ignore[attr-defined]
    finally:
        service.stop()
    return failed, json.loads(answer)


def test_a_function_that_waits_on_a_full_disk_is_ended_within_seconds(
    runtime: Runtime, disk: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_, "_LOOK_SECONDS", 0.05)
    disk.megabytes = 3
    began = time.monotonic()
    failed, answer = run(runtime, seconds=50)
    assert time.monotonic() - began < 10
    assert failed
    assert "no space left on the disk" in answer["errorMessage"]
    assert "3 MB free" in answer["errorMessage"]


def test_a_quick_function_is_not_disturbed_by_a_full_disk(runtime: Runtime, disk: SimpleNamespace) -> None:
    disk.megabytes = 3
    assert run(runtime, seconds=0) == (False, {"seconds": 0})


def test_a_slow_function_goes_on_while_there_is_room(
    runtime: Runtime, disk: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_, "_LOOK_SECONDS", 0.05)
    assert run(runtime, seconds=0.6) == (False, {"seconds": 0.6})


def test_a_function_still_has_its_own_timeout(
    runtime: Runtime, disk: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_, "_LOOK_SECONDS", 0.05)
    failed, answer = run(runtime, seconds=50, timeout=1)
    assert (failed, answer["errorType"]) == (True, "Sandbox.Timedout")


@pytest.mark.parametrize(
    "message",
    [
        "no space left on the disk of /var/lib/medallion (3 MB free, 32 MB needed)",
        "(1114, \"The table 'orders' is full\")",
        "(1021, 'Disk full (/tmp/x); waiting for someone to free some space')",
        '(3, \'Error writing file "x" (Errcode: 28 "No space left on device")\')',
    ],
)
def test_a_client_is_told_what_to_do(message: str) -> None:
    error = _failure("seed_chunk", {"errorType": "OperationalError", "errorMessage": message})
    assert isinstance(error, MedallionError)
    assert "make room" in str(error.hint)
    assert message in str(error)


def test_another_failure_is_still_another(disk: SimpleNamespace) -> None:
    error = _failure(
        "seed_chunk", {"errorType": "OperationalError", "errorMessage": "(1062, 'Duplicate entry')"}
    )
    assert error.hint == "medallion status"


def test_a_database_on_a_full_disk_reads_storage_full(runtime: Runtime, disk: SimpleNamespace) -> None:
    service = Rds(runtime)
    service._state["instances"]["db"] = {
        "DBInstanceIdentifier": "db", "DBInstanceStatus": "available", "created": 0.0, "group": "", "port": 0,
        "VpcSecurityGroupIds": [], "DBSubnetGroupName": "", "reason": "", "DBInstanceArn": "arn",
    }  # fmt: skip
    (found,) = service.describe_db_instances({})["DBInstances"]
    assert found["DBInstanceStatus"] == "available"
    disk.megabytes = 3
    (found,) = service.describe_db_instances({})["DBInstances"]
    assert found["DBInstanceStatus"] == "storage-full"
    assert "no space left" in found["StatusInfos"][0]["Message"]


@pytest.mark.parametrize(
    ("last", "waits"),
    [
        (
            "2026-01-01 [ERROR] mariadbd: Disk is full writing './b.1' (Errcode: 28). Waiting for someone…",
            True,
        ),
        ("2026-01-01 [Note] ready for connections", False),
    ],
)
def test_a_server_that_waits_says_so_last(tmp_path: Path, last: str, waits: bool) -> None:
    server = MariaDB(tmp_path, cache=tmp_path)
    assert server.waits_for_space is False
    (tmp_path / "mariadb.log").write_text(f"starting\n{last}\n")
    assert server.waits_for_space is waits
