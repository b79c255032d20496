"""The environment's stacks, buckets and snapshots in memory, beside the services of fake_environment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fake_environment import OUTPUTS, Document, Environment

from medallion_cli.errors import AwsError
from medallion_cli.operations.package import STACKS

KEY = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
BUCKETS = {f"shop-{layer}-0123456789ab": 2 for layer in ("bronze", "silver", "staging", "artifacts")}
GIVEN = {
    "storage": {f"{name.split('-')[1].capitalize()}Bucket": name for name in BUCKETS} | {"KeyArn": KEY},
    "source": {k: v for k, v in OUTPUTS.items() if k in ("DatabaseIdentifier", "SourceFunctionName")},
    "replication": {k: v for k, v in OUTPUTS.items() if k.endswith("Arn") and "Machine" not in k},
    "orchestration": {k: v for k, v in OUTPUTS.items() if "Schedule" in k or "Machine" in k},
}


class Stacked(Environment):
    """Everything is up; `told` are deletions, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.stacks: dict[str, Document] = {
            f"shop-{stack}": {"StackStatus": "CREATE_COMPLETE", "EnableTerminationProtection": False}
            for stack in STACKS
        }
        self.buckets = dict(BUCKETS)
        self.snapshots: dict[str, int] = {}
        self.gold_snapshots: dict[str, int] = {}
        self.key_deleted = False
        self.told: list[str] = []
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def _describe_stacks(self, given: Document) -> Document:
        name = given["StackName"]
        if name not in self.stacks:
            raise AwsError("ValidationError", f"Stack with id {name} does not exist")
        shown = dict(self.stacks[name])
        if shown["StackStatus"] == "DELETE_IN_PROGRESS":
            del self.stacks[name]
            self._deleted(name.removeprefix("shop-"))
        outputs = GIVEN.get(name.removeprefix("shop-"), {})
        told = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        return {"Stacks": [{"StackName": name, "CreationTime": self.at, "Outputs": told, **shown}]}

    def _deleted(self, stack: str) -> None:
        if stack == "source":
            assert self.database == "available", "RDS takes no snapshot of a stopped instance"
            self.snapshots["shop-source-snapshot"] = 20
        if stack == "warehouse":
            self.gold_snapshots["shop-final"] = 3000

    def _describe_stack_events(self, given: Document) -> Document:
        if given["StackName"] not in self.stacks:
            raise AwsError("ValidationError", f"Stack [{given['StackName']}] does not exist")
        self.at += timedelta(seconds=1)
        name, status = given["StackName"], self.stacks[given["StackName"]]["StackStatus"]
        event = {"StackId": name, "EventId": str(self.at), "StackName": name, "Timestamp": self.at}
        more = {
            "LogicalResourceId": name,
            "ResourceType": "AWS::CloudFormation::Stack",
            "ResourceStatus": status,
        }
        return {"StackEvents": [{**event, **more}]}

    def _delete_stack(self, given: Document) -> None:
        self.told.append(given["StackName"])
        self.stacks[given["StackName"]]["StackStatus"] = "DELETE_IN_PROGRESS"

    def _list_buckets(self, given: Document) -> Document:
        return {"Buckets": [{"Name": name} for name in [*self.buckets, "shop-silver-of-somebody-else"]]}

    def _get_bucket_encryption(self, given: Document) -> Document:
        self._there(given["Bucket"])
        rule: Document = {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
        }
        return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}

    def _list_objects_v2(self, given: Document) -> Document:
        self._there(given["Bucket"])
        count = self.buckets[given["Bucket"]]
        return {
            "Contents": [{"Key": f"k{n}", "Size": 500_000_000} for n in range(count)],
            "IsTruncated": False,
        }

    def _delete_objects(self, given: Document) -> None:
        self.buckets[given["Bucket"]] -= len(given["Delete"]["Objects"])

    def _delete_bucket(self, given: Document) -> None:
        self._there(given["Bucket"])
        assert self.buckets.pop(given["Bucket"]) == 0
        self.told.append(given["Bucket"])

    def _there(self, bucket: str) -> None:
        if bucket not in self.buckets:
            raise AwsError("NoSuchBucket", bucket)

    def _schedule_key_deletion(self, given: Document) -> None:
        assert given["KeyId"] == KEY
        self.key_deleted = True

    def _describe_db_snapshots(self, given: Document) -> Document:
        found = self.snapshots.items()
        return {"DBSnapshots": [{"DBSnapshotIdentifier": n, "AllocatedStorage": size} for n, size in found]}

    def _delete_db_snapshot(self, given: Document) -> None:
        del self.snapshots[given["DBSnapshotIdentifier"]]

    def _list_snapshots(self, given: Document) -> Document:
        found = self.gold_snapshots.items()
        facts: list[Any] = [
            {"snapshotName": n, "totalBackupSizeInMegaBytes": float(size), "snapshotRemainingDays": 30}
            for n, size in found
        ]
        return {"snapshots": facts}

    def _delete_snapshot(self, given: Document) -> None:
        del self.gold_snapshots[given["snapshotName"]]
