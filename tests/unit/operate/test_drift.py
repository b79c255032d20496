"""Drift: what was changed behind the tool's back is found, what the tool itself changed is not called so."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from clock import Clock, stopped
from fake_environment import OUTPUTS, Document
from fake_stacks import GIVEN, Stacked

from medallion_cli.aws import warehouse as warehouses
from medallion_cli.errors import AwsError, MedallionError
from medallion_cli.operations import drift as drifting
from medallion_cli.operations import pause as pausing
from medallion_cli.operations import procedures, replicate, source_database
from medallion_cli.operations.deployment import code
from medallion_cli.settings import Guards

FOUND = {**OUTPUTS, **GIVEN["storage"], "WorkgroupArn": "arn:workgroup"}
SOURCES = [("gold", "merge_run", "BEGIN one; END"), ("etl", "migrate", "BEGIN two; END")]


class Drifting(Stacked):
    """Detections end when they were looked at twice; `changed` by stack."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: dict[str, list[Document]] = {}
        self.looks: dict[str, int] = {}
        self.detection = "DETECTION_COMPLETE"
        self.limit = 24.0
        self.objects: dict[str, str] = {}
        self.settings = self.settings.model_copy(update={"guards": Guards(warehouse_hours_a_day=24)})
        for stack, given in {
            "replication": {"Generation": "g0001"},
            "orchestration": {"PipelineScheduleState": "ENABLED", "HousekeepingScheduleState": "ENABLED"},
        }.items():
            parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()]
            self.stacks[f"shop-{stack}"]["Parameters"] = parameters

    def _detect_stack_drift(self, given: Document) -> Document:
        self.looks[given["StackName"]] = 2
        return {"StackDriftDetectionId": given["StackName"]}

    def _describe_stack_drift_detection_status(self, given: Document) -> Document:
        name = given["StackDriftDetectionId"]
        self.looks[name] -= 1
        status = "DETECTION_IN_PROGRESS" if self.looks[name] else self.detection
        return {
            "StackId": name,
            "StackDriftDetectionId": name,
            "DetectionStatus": status,
            "DetectionStatusReason": "no permission",
            "Timestamp": self.at,
        }

    def _describe_stack_resource_drifts(self, given: Document) -> Document:
        found = self.changed.get(given["StackName"], [])
        page = int(given.get("NextToken", 0))
        more = {"NextToken": str(page + 1)} if page + 1 < len(found) else {}
        return {"StackResourceDrifts": found[page : page + 1], **more}

    def change(
        self, stack: str, kind: str, path: str, expected: str, actual: str, physical: str = "p"
    ) -> None:
        """One property that is not as it was."""
        entry = {
            "StackId": stack,
            "LogicalResourceId": kind.rpartition(":")[2],
            "PhysicalResourceId": physical,
            "ResourceType": kind,
            "StackResourceDriftStatus": "MODIFIED" if path else "DELETED",
            "Timestamp": self.at,
        }
        values = {"PropertyPath": path, "ExpectedValue": expected, "ActualValue": actual}
        if path:
            entry["PropertyDifferences"] = [{**values, "DifferenceType": "NOT_EQUAL"}]
        self.changed.setdefault(f"shop-{stack}", []).append(entry)

    def _list_usage_limits(self, given: Document) -> Document:
        return {"usageLimits": [{"period": "daily", "amount": int(self.limit)}]}

    def _put_object(self, given: Document) -> None:
        self.objects[given["Key"]] = given["Body"].decode()

    def _get_object(self, given: Document) -> Document:
        if given["Key"] not in self.objects:
            raise AwsError("NoSuchKey", given["Key"])
        return {"Body": SimpleNamespace(read=lambda: self.objects[given["Key"]].encode())}


class Gold:
    """A warehouse whose procedures are `sources`."""

    def __init__(self) -> None:
        self.sources = list(SOURCES)

    def execute(self, sql: str) -> Any:
        return SimpleNamespace(rows=self.sources)

    def close(self) -> None:
        pass


@pytest.fixture
def gold(monkeypatch: pytest.MonkeyPatch) -> Gold:
    gold = Gold()
    monkeypatch.setattr(warehouses, "connect", lambda *_: gold)
    return gold


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch, gold: Gold, clock: Clock) -> Drifting:
    live = Drifting()
    target: Any = live
    kept: Any = gold
    monkeypatch.setattr(code, "stale", lambda *_: {"brought": False, "touched": True})
    procedures.remember(target, FOUND["ArtifactsBucket"], kept)
    return live


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped(monkeypatch, drifting, replicate, source_database, pausing)


def found(live: Drifting) -> dict[str, tuple[str, str]]:
    report = returned(drifting.drift(live, FOUND, live.settings, None))  # type: ignore[arg-type]
    assert report.unseen == []
    return {f"{d.resource} {d.property}".strip(): (d.expected, d.actual) for d in report.differences}


def returned(steps: Any) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def test_nothing_has_drifted(live: Drifting) -> None:
    assert found(live) == {}


def test_what_cloudformation_finds_on_any_page(live: Drifting) -> None:
    live.change(
        "storage", "AWS::S3::Bucket", "/PublicAccessBlockConfiguration/BlockPublicAcls", "true", "false"
    )
    live.change("storage", "AWS::KMS::Key", "", "", "")
    assert found(live) == {
        "Bucket /PublicAccessBlockConfiguration/BlockPublicAcls": ("true", "false"),
        "Key": ("there", "deleted"),
    }


def test_a_stack_that_is_gone(live: Drifting) -> None:
    del live.stacks["shop-observability"]
    assert found(live) == {"shop-observability": ("there", "missing")}


def test_an_instance_made_small_by_a_pause_is_no_drift_and_by_hand_it_is(live: Drifting) -> None:
    change = ("replication", "AWS::DMS::ReplicationInstance", "/ReplicationInstanceClass", "dms.t3.medium")
    live.change(*change, "dms.t3.micro")
    assert list(found(live)) == ["ReplicationInstance /ReplicationInstanceClass"]
    target: Any = live
    list(pausing.pause(target, FOUND, target.settings))
    report = returned(drifting.drift(target, FOUND, target.settings, None))  # type: ignore[arg-type]
    assert report.differences == []
    assert report.unseen == ["binlog retention: the database is stopped"]


def test_schedules_are_as_the_tool_last_said(live: Drifting) -> None:
    target: Any = live
    live.change("orchestration", "AWS::Scheduler::Schedule", "/State", "DISABLED", "ENABLED")
    pausing.switch(target, FOUND, enabled=True)
    assert found(live) == {}
    live.schedules["shop-generator"] = "DISABLED"
    assert found(live) == {"shop-generator /State": ("on", "off")}


def test_a_generation_that_a_reload_began_is_no_drift_and_another_one_is(
    live: Drifting, clock: Clock
) -> None:
    target: Any = live
    list(replicate.reload(target, FOUND, target.settings))
    live.change("replication", "AWS::DMS::Endpoint", "/S3Settings/BucketFolder", "g0001", "g0002")
    assert found(live) == {}
    live.generation = "elsewhere"
    assert found(live) == {"TargetEndpoint /S3Settings/BucketFolder": ("g0002", "elsewhere")}


def test_code_that_up_only_brought_is_no_drift_and_other_code_is(live: Drifting) -> None:
    for physical in ("brought", "touched"):
        live.change("transform", "AWS::Glue::Job", "/Command/ScriptLocation", "s3://a", "s3://b", physical)
    report = returned(drifting.drift(live, FOUND, live.settings, None))  # type: ignore[arg-type]
    assert [one.physical for one in report.differences] == ["touched"]


def test_retention_limit_and_procedures_that_no_stack_holds(live: Drifting, gold: Gold) -> None:
    live.retention, live.limit = "24", 100
    gold.sources = [("gold", "merge_run", "BEGIN  one;\nEND"), ("etl", "migrate", "BEGIN three; END")]
    differences = found(live)
    assert (
        differences.pop("etl.migrate source")[0] == json.loads(live.objects[procedures.KEPT])["etl.migrate"]
    )
    assert differences == {
        "Database binlog retention hours": ("72", "24"),
        "Workgroup daily usage limit, RPU-hours": ("24", "100"),
    }


def test_a_procedure_that_is_gone_or_was_added(live: Drifting, gold: Gold) -> None:
    gold.sources = [SOURCES[0], ("gold", "backdoor", "BEGIN END")]
    differences = found(live)
    assert differences["etl.migrate source"][1] == "deleted"
    assert differences["gold.backdoor source"][0] == "none"


def test_what_cannot_be_looked_at_is_told(live: Drifting) -> None:
    live.refusals["redshift-serverless.list_usage_limits"] = AwsError("AccessDeniedException", "not allowed")
    report = returned(drifting.drift(live, FOUND, live.settings, None))  # type: ignore[arg-type]
    assert report.unseen == ["usage limit: AccessDeniedException: not allowed"]


def test_a_detection_that_fails_says_why(live: Drifting) -> None:
    live.detection = "DETECTION_FAILED"
    with pytest.raises(MedallionError, match="no permission"):
        found(live)


def test_a_stack_under_way_is_not_looked_at(live: Drifting) -> None:
    live.stacks["shop-source"]["StackStatus"] = "UPDATE_IN_PROGRESS"
    with pytest.raises(MedallionError, match="shop-source is being changed"):
        found(live)
