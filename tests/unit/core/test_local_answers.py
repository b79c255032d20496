"""Every AWS operation that the tool asks for is answered locally, or known not to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore import xform_name

from medallion_cli.local import server
from medallion_cli.local.protocol import ServiceError
from medallion_cli.local.runtime import Runtime
from medallion_cli.operations import own_calls

# What only an account can tell, and preflight asks for on AWS: limits, offers, regions, a subscription.
ABSENT = {
    ("dms", "DescribeAccountAttributes"),
    ("dms", "DescribeOrderableReplicationInstances"),
    ("ec2", "DescribeRegions"),
    ("ec2", "DescribeVpcs"),
    ("lambda", "GetAccountSettings"),
    ("quicksight", "DescribeAccountSubscription"),
    ("rds", "DescribeAccountAttributes"),
    ("rds", "DescribeOrderableDBInstanceOptions"),
    ("service-quotas", "GetServiceQuota"),
}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    folder = tmp_path_factory.mktemp("state")
    return server.load(folder, folder, "us-east-1", {})


def test_what_the_tool_asks_for_is_answered_or_known_not_to_be(runtime: Runtime) -> None:
    asked = {
        (service, name) for service, names in own_calls.CALLS.items() for name in names if service != "s3"
    }
    unanswered = {
        (service, name)
        for service, name in asked
        if not hasattr(runtime.services.get(service), xform_name(name))
    }
    assert unanswered == ABSENT & asked


@pytest.mark.parametrize(("service", "operation"), sorted(ABSENT))
def test_what_is_not_answered_is_refused_in_clear_words(
    runtime: Runtime, service: str, operation: str
) -> None:
    with pytest.raises(ServiceError) as caught:
        runtime.call(service, operation)
    assert caught.value.status == 501
    assert f"the embedded AWS has no {service}" in caught.value.message or operation in caught.value.message


def test_a_snapshot_of_the_database_can_be_deleted(runtime: Runtime) -> None:
    rds = runtime.services["rds"]
    data = runtime.state / "engines" / "rds-snapshots" / "s1"
    data.mkdir(parents=True)
    (data / "ibdata1").write_text("rows")
    rds._state["snapshots"]["s1"] = {"DBSnapshotIdentifier": "s1", "created": 0.0}  # type: ignore[attr-defined]
    assert runtime.call("rds", "DeleteDBSnapshot", DBSnapshotIdentifier="s1")["DBSnapshot"]
    assert not Path(data).exists()
    with pytest.raises(ServiceError, match="DBSnapshotNotFound"):
        runtime.call("rds", "DeleteDBSnapshot", DBSnapshotIdentifier="s1")
    assert runtime.call("redshift-serverless", "ListSnapshots") == {"snapshots": []}
