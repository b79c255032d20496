"""Redshift Serverless: what a workgroup is, what goes with a namespace."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fake_runtime import FakeRuntime
from scratch_warehouse import reachable

from medallion_cli.errors import AwsError

pytestmark = pytest.mark.engine


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[FakeRuntime]:
    """A runtime of its own, with nothing provisioned."""
    with reachable(tmp_path) as home:
        fresh = FakeRuntime(home, Path(tempfile.gettempdir()) / f"medallion-test-cache-{os.getuid()}")
        fresh.cache.mkdir(exist_ok=True)
        yield fresh
        fresh.stop()


def said(runtime: FakeRuntime, workgroup: str, sql: str) -> list[tuple[str | None, ...]]:
    """The rows of one statement."""
    session = runtime.engine(workgroup).session()
    try:
        return session.execute(sql).rows
    finally:
        session.close()


def test_data_go_with_the_namespace_not_with_the_workgroup(runtime: FakeRuntime) -> None:
    runtime.provision()
    api = runtime.client("redshift-serverless")
    said(runtime, "scratch", "CREATE TABLE kept (a BIGINT)")
    with pytest.raises(AwsError, match="ConflictException"):
        api.delete_namespace(namespaceName="scratch")
    api.delete_workgroup(workgroupName="scratch")
    with pytest.raises(AwsError, match="ResourceNotFoundException"):
        api.get_workgroup(workgroupName="scratch")
    api.create_workgroup(namespaceName="scratch", workgroupName="again")
    assert said(runtime, "again", "SELECT * FROM kept") == []
    api.delete_workgroup(workgroupName="again")
    api.delete_namespace(namespaceName="scratch")
    assert not (runtime.state / "engines" / "redshift-scratch").exists()


def test_the_admin_s_password_is_never_shown_and_can_change(runtime: FakeRuntime) -> None:
    runtime.provision()
    api = runtime.client("redshift-serverless")
    api.update_namespace(namespaceName="scratch", adminUserPassword="Another-Password-2")
    assert "Password" not in str(api.get_namespace(namespaceName="scratch"))
    assert api.get_credentials(workgroupName="scratch")["dbPassword"] == "Another-Password-2"
    assert said(runtime, "scratch", "SELECT 1") == [("1",)]


def test_a_new_daemon_finds_the_workgroup_at_the_same_endpoint(runtime: FakeRuntime) -> None:
    runtime.provision()
    endpoint = runtime.workgroup()["endpoint"]
    runtime.stop()
    later = FakeRuntime(runtime.state, runtime.cache)
    later.start()
    found = later.workgroup()
    later.stop()
    assert (found["endpoint"], found["status"]) == (endpoint, "AVAILABLE")


def test_a_server_that_was_killed_is_started_again_with_its_data(runtime: FakeRuntime) -> None:
    runtime.provision()
    said(runtime, "scratch", "CREATE TABLE kept (a BIGINT)")
    runtime.stop()
    later = FakeRuntime(runtime.state, runtime.cache)
    later.start()
    try:
        engine = later.engine("scratch")
        for process in psutil.process_iter(["cmdline"]):
            if str(runtime.state) in " ".join(process.info["cmdline"] or []) and process.name() == "postgres":
                process.kill()
                process.wait(10)
        deadline = time.monotonic() + 60
        while not engine.running:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert said(later, "scratch", "SELECT * FROM kept") == []
    finally:
        later.stop()


def test_usage_limits_and_tags(runtime: FakeRuntime) -> None:
    api = runtime.client("redshift-serverless")
    made = api.create_namespace(namespaceName="tagged", tags=[{"key": "a", "value": "1"}])["namespace"]
    arn = made["namespaceArn"]
    api.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    api.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert api.list_tags_for_resource(resourceArn=arn) == {"tags": [{"key": "b", "value": "2"}]}
    limit = {"resourceArn": arn, "usageType": "serverless-compute", "amount": 8, "period": "daily"}
    identifier = api.create_usage_limit(**limit)["usageLimit"]["usageLimitId"]
    with pytest.raises(AwsError, match="ConflictException"):
        api.create_usage_limit(**limit)
    api.update_usage_limit(usageLimitId=identifier, amount=9)
    assert [each["amount"] for each in api.list_usage_limits(resourceArn=arn)["usageLimits"]] == [9]
    api.delete_usage_limit(usageLimitId=identifier)
    assert api.list_usage_limits()["usageLimits"] == []
