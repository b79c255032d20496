"""A cloud that remembers what it was asked, and a CloudFormation over it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from medallion_cli.local.cloudformation.service import CloudFormation
from medallion_cli.local.protocol import ServiceError


class MemoryStore:
    """Documents as JSON text, so that only what is saved survives."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def load(self, name: str, default: Any) -> Any:
        return json.loads(self.texts[name]) if name in self.texts else default

    def save(self, name: str, value: Any) -> None:
        self.texts[name] = json.dumps(value)


class Cloud:
    """Answers every call; buckets, secrets, parameters and databases are remembered."""

    region, account = "eu-central-1", "000000000000"

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.things: dict[str, dict[str, Any]] = {}
        self.starting = False
        self.failing: dict[str, Exception] = {}
        self.before: Callable[[str, dict[str, Any]], None] = lambda operation, params: None

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls if not operation.startswith(("Head", "Describe"))]

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.before(operation, params)
        self.calls.append((operation, params))
        if operation in self.failing:
            raise self.failing[operation]
        answer = getattr(self, operation, None)
        return answer(params) if answer else {}

    def _create(self, name: str, value: dict[str, Any], code: str) -> dict[str, Any]:
        if name in self.things:
            raise ServiceError(code, f"{name} already exists")
        self.things[name] = value
        return value

    def _take(self, name: str, code: str) -> dict[str, Any]:
        if name not in self.things:
            raise ServiceError(code, f"{name} not found")
        return self.things[name]

    def CreateBucket(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._create(params["Bucket"], {}, "BucketAlreadyOwnedByYou")

    def HeadBucket(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._take(params["Bucket"], "NoSuchBucket")

    def DeleteBucket(self, params: dict[str, Any]) -> dict[str, Any]:
        self._take(params["Bucket"], "NoSuchBucket")
        return self.things.pop(params["Bucket"])

    def PutParameter(self, params: dict[str, Any]) -> dict[str, Any]:
        if params.get("Overwrite"):
            self.things.pop(params["Name"], None)
        return self._create(params["Name"], dict(params), "ParameterAlreadyExists")

    def GetParameter(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"Parameter": self._take(params["Name"], "ParameterNotFound")}

    def DeleteParameter(self, params: dict[str, Any]) -> dict[str, Any]:
        self._take(params["Name"], "ParameterNotFound")
        return self.things.pop(params["Name"])

    def GetRandomPassword(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"RandomPassword": "p" * params.get("PasswordLength", 32)}

    def CreateSecret(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = f"arn:aws:secretsmanager:{self.region}:{self.account}:secret:{params['Name']}-AbCdEf"
        return self._create(arn, params | {"ARN": arn}, "ResourceExistsException")

    def GetSecretValue(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._take(params["SecretId"], "ResourceNotFoundException")

    def PutSecretValue(self, params: dict[str, Any]) -> dict[str, Any]:
        self._take(params["SecretId"], "ResourceNotFoundException")["SecretString"] = params["SecretString"]
        return {}

    def CreateDBInstance(self, params: dict[str, Any]) -> dict[str, Any]:
        address = {"Address": "127.0.0.1", "Port": 3307}
        facts = {"DBInstanceStatus": "available", "Endpoint": address}
        return self._create(params["DBInstanceIdentifier"], params | facts, "DBInstanceAlreadyExists")

    def DescribeDBInstances(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._take(params["DBInstanceIdentifier"], "DBInstanceNotFound")
        return {"DBInstances": [found | ({"DBInstanceStatus": "creating"} if self.starting else {})]}

    def DeleteDBInstance(self, params: dict[str, Any]) -> dict[str, Any]:
        return self.things.pop(params["DBInstanceIdentifier"])


class Account:
    """Deploys templates the way the CLI does: change set, execute, wait."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.api = CloudFormation(cloud)

    def change_set(
        self, body: str, name: str = "demo", kind: str | None = None, **more: Any
    ) -> dict[str, Any]:
        known = self.api._store.find(name)
        kind = kind or ("UPDATE" if known and known.status != "REVIEW_IN_PROGRESS" else "CREATE")
        made = self.api.create_change_set(
            {
                "StackName": name,
                "TemplateBody": body,
                "ChangeSetName": f"c-{uuid.uuid4()}",
                "ChangeSetType": kind,
                "Capabilities": ["CAPABILITY_NAMED_IAM"],
            }
            | more
        )
        return self.api.describe_change_set({"ChangeSetName": made["Id"]})

    def deploy(self, body: str, name: str = "demo", **more: Any) -> str:
        made = self.change_set(body, name, **more)
        assert made["Status"] == "CREATE_COMPLETE", made.get("StatusReason")
        self.api.execute_change_set({"ChangeSetName": made["ChangeSetId"]})
        self.api.wait(name)
        return self.status(name)

    def delete(self, name: str = "demo", **more: Any) -> str:
        stack_id = self.stack(name)["StackId"]
        self.api.delete_stack({"StackName": name} | more)
        self.api.wait(stack_id)
        return self.status(stack_id)

    def stack(self, name: str = "demo") -> dict[str, Any]:
        return self.api.describe_stacks({"StackName": name})["Stacks"][0]

    def status(self, name: str = "demo") -> str:
        return str(self.stack(name)["StackStatus"])

    def outputs(self, name: str = "demo") -> dict[str, str]:
        return {item["OutputKey"]: item["OutputValue"] for item in self.stack(name)["Outputs"]}

    def physical(self, logical_id: str, name: str = "demo") -> str:
        found = self.api.describe_stack_resources({"StackName": name, "LogicalResourceId": logical_id})
        return str(found["StackResources"][0]["PhysicalResourceId"])

    def events(self, name: str = "demo") -> list[str]:
        """Oldest first: `LogicalId STATUS`."""
        found = self.api.describe_stack_events({"StackName": name})["StackEvents"]
        return [f"{item['LogicalResourceId']} {item['ResourceStatus']}" for item in reversed(found)]

    def reason(self, logical_id: str, status: str, name: str = "demo") -> str:
        found = self.api.describe_stack_events({"StackName": name})["StackEvents"]
        return next(
            item["ResourceStatusReason"]
            for item in found
            if item["LogicalResourceId"] == logical_id and item["ResourceStatus"] == status
        )
