"""An AWS account in memory, as far as deployment speaks to it; an operation ends when it was looked at `looks` times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from fake_parameters import Parameters

from medallion_cli.errors import AwsError
from medallion_cli.settings import Settings

Document = dict[str, Any]
START = datetime(2026, 1, 1, tzinfo=UTC)


class Account:
    """A target; `stacks` are its stacks, `told` everything that changed something, in order."""

    def __init__(self, settings: Settings, outputs: dict[str, list[str]]) -> None:
        self.settings = settings
        self.outputs = outputs  # stack → names
        self.stacks: dict[str, Document] = {}
        self.told: list[tuple[str, str]] = []
        self.faults: dict[
            str, list[tuple[str, str, str]]
        ] = {}  # stack → (resource, status, reason), oldest first
        self.change_sets: dict[str, Document] = {}
        self.clock = START
        self.looks = 1  # at a stack, until its operation has ended
        self.services = {
            "cloudformation": self,
            "s3": SimpleNamespace(
                head_object=lambda **_: {},
                list_objects_v2=lambda **_: {"IsTruncated": False},
                list_buckets=lambda: {"Buckets": []},
                get_bucket_encryption=lambda **_: {"ServerSideEncryptionConfiguration": {"Rules": []}},
                delete_bucket=lambda Bucket: self.told.append(("delete bucket", Bucket)),
            ),
            "iam": SimpleNamespace(get_role=lambda **_: {}),
            "scheduler": SimpleNamespace(get_schedule=lambda **_: {"State": "DISABLED"}),
            "dms": SimpleNamespace(
                describe_endpoints=lambda **_: {"Endpoints": [{"S3Settings": {"BucketFolder": "g0001"}}]},
                describe_replication_tasks=lambda **_: {"ReplicationTasks": [{"Status": "ready"}]},
                describe_table_statistics=lambda **_: {"TableStatistics": []},
            ),
            "ssm": Parameters(),
            "kms": SimpleNamespace(schedule_key_deletion=lambda **_: self.told.append(("delete key", ""))),
            "rds": SimpleNamespace(
                describe_db_snapshots=lambda **_: {"DBSnapshots": []},
                describe_db_instances=lambda **_: {"DBInstances": [{"DBInstanceStatus": "available"}]},
            ),
            "redshift-serverless": SimpleNamespace(list_snapshots=lambda **_: {"snapshots": []}),
        }

    def client(self, service: str) -> Any:
        return self.services[service]

    def put(self, name: str, status: str, then: str | None = None) -> None:
        """A stack in a status, and the one it goes to after it was looked at."""
        self.stacks[name] = {"status": status, "then": then, "events": [], "protected": False}
        self._event(name, name, status)

    def describe_stacks(self, StackName: str) -> Document:
        if StackName not in self.stacks:
            raise AwsError("ValidationError", f"Stack with id {StackName} does not exist")
        stack = self.stacks[StackName]
        shown = self._shown(StackName, stack)
        stack["looks"] = stack.get("looks", 1) - 1
        if stack["looks"] > 0:
            return {"Stacks": [shown]}
        if stack["then"] == "gone":
            del self.stacks[StackName]
        elif stack["then"]:
            stack["status"], stack["then"] = stack["then"], None
            self._event(StackName, StackName, stack["status"])
        return {"Stacks": [shown]}

    def _shown(self, name: str, stack: Document) -> Document:
        outputs = (
            self.outputs.get(name.rpartition("-")[2], [])
            if "ROLLBACK_COMPLETE" not in stack["status"]
            else []
        )
        return {
            "StackName": name,
            "StackStatus": stack["status"],
            "EnableTerminationProtection": stack["protected"],
            "Outputs": [{"OutputKey": key, "OutputValue": f"{key}-value"} for key in outputs],
            "Parameters": [
                {"ParameterKey": k, "ParameterValue": v} for k, v in stack.get("given", {}).items()
            ],
        }

    def create_change_set(self, **given: Any) -> Document:
        self.change_sets[given["ChangeSetName"]] = given
        return {"Id": given["ChangeSetName"]}

    def describe_change_set(self, ChangeSetName: str) -> Document:
        given = self.change_sets[ChangeSetName]
        wanted = _wanted(given)
        if self.stacks.get(given["StackName"], {}).get("wanted") == wanted:
            return {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
        change = {"Action": "Add", "LogicalResourceId": "Thing", "ResourceType": "AWS::Some::Thing"}
        return {"Status": "CREATE_COMPLETE", "Changes": [{"ResourceChange": change}]}

    def delete_change_set(self, ChangeSetName: str) -> None:
        del self.change_sets[ChangeSetName]

    def execute_change_set(self, ChangeSetName: str) -> None:
        given = self.change_sets[ChangeSetName]
        name = given["StackName"]
        self.told.append(("execute", name))
        protected = self.stacks.get(name, {}).get("protected", False)
        events = self.stacks.get(name, {}).get("events", [])
        ends = "ROLLBACK_COMPLETE" if name in self.faults else "CREATE_COMPLETE"
        wanted = _wanted(given)
        self.stacks[name] = {
            "status": "CREATE_IN_PROGRESS", "then": ends, "looks": self.looks,
            "wanted": wanted, "protected": protected, "events": events,
            "given": {p["ParameterKey"]: p["ParameterValue"] for p in given["Parameters"]},
        }  # fmt: skip
        self._event(name, name, "CREATE_IN_PROGRESS")
        for resource, status, reason in self.faults.get(name, []):
            self._event(name, resource, status, reason)

    def _event(self, name: str, resource: str, status: str, reason: str = "") -> None:
        self.clock += timedelta(seconds=1)
        event = {
            "EventId": str(self.clock), "Timestamp": self.clock, "LogicalResourceId": resource,
            "ResourceType": "AWS::Some::Thing", "ResourceStatus": status, "ResourceStatusReason": reason,
        }  # fmt: skip
        self.stacks[name]["events"].insert(0, event)

    def describe_stack_events(self, StackName: str) -> Document:
        if StackName not in self.stacks:
            raise AwsError("ValidationError", f"Stack [{StackName}] does not exist")
        return {"StackEvents": self.stacks[StackName]["events"]}

    def delete_stack(self, StackName: str) -> None:
        self.told.append(("delete", StackName))
        self._event(StackName, StackName, "DELETE_IN_PROGRESS")
        self.stacks[StackName].update(status="DELETE_IN_PROGRESS", then="gone")

    def continue_update_rollback(self, StackName: str) -> None:
        self.told.append(("continue", StackName))
        self._event(StackName, StackName, "UPDATE_ROLLBACK_IN_PROGRESS")
        self.stacks[StackName].update(status="UPDATE_ROLLBACK_IN_PROGRESS", then="UPDATE_ROLLBACK_COMPLETE")

    def update_termination_protection(self, StackName: str, EnableTerminationProtection: bool) -> None:
        self.stacks[StackName]["protected"] = EnableTerminationProtection


def _wanted(given: Document) -> tuple[Any, ...]:
    """What a change set asks for; parameters have no order."""
    values = sorted((p["ParameterKey"], p["ParameterValue"]) for p in given["Parameters"])
    return given.get("TemplateBody"), given.get("TemplateURL"), values
