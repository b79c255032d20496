"""KMS keys: the ones that stacks made, told by their ids; nothing local is encrypted with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

_STORE = "kms"  # when the keys to be deleted go, by id
_DAYS = 30


def create(runtime: Runtime) -> Service:
    """The service."""
    return Kms(runtime)


class Kms(Service):
    """AWS KMS, as far as a key can be looked at and given up."""

    name = "kms"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def describe_key(self, params: dict[str, Any]) -> dict[str, Any]:
        """State and dates of a key."""
        return {"KeyMetadata": self._shown(self._found(params["KeyId"]))}

    def schedule_key_deletion(self, params: dict[str, Any]) -> dict[str, Any]:
        """KMSInvalidStateException for a key that is to be deleted already."""
        key = self._found(params["KeyId"])
        gone = datetime.now(UTC) + timedelta(days=params.get("PendingWindowInDays", _DAYS))
        with self.runtime.store.changing(_STORE, {}) as ending:
            if key in ending:
                raise ServiceError("KMSInvalidStateException", f"{self._arn(key)} is pending deletion.")
            ending[key] = gone.isoformat()
        return {"KeyId": self._arn(key), "DeletionDate": gone, "KeyState": "PendingDeletion"}

    def cancel_key_deletion(self, params: dict[str, Any]) -> dict[str, Any]:
        """The key stays."""
        key = self._found(params["KeyId"])
        with self.runtime.store.changing(_STORE, {}) as ending:
            ending.pop(key, None)
        return {"KeyId": self._arn(key)}

    def _found(self, name: str) -> str:
        """The id of a key that a stack, be it gone, has made."""
        key = name.rpartition("/")[2]
        stacks = self.runtime.call("cloudformation", "ListStacks")["StackSummaries"]
        for stack in stacks:
            made = self.runtime.call("cloudformation", "ListStackResources", StackName=stack["StackId"])
            for resource in made["StackResourceSummaries"]:
                if (resource["ResourceType"], resource.get("PhysicalResourceId")) == ("AWS::KMS::Key", key):
                    return key
        raise ServiceError("NotFoundException", f"Key '{name}' does not exist")

    def _shown(self, key: str) -> dict[str, Any]:
        gone = self.runtime.store.load(_STORE, {}).get(key)
        state = "PendingDeletion" if gone else "Enabled"
        shown = {"KeyId": key, "Arn": self._arn(key), "KeyState": state, "Enabled": not gone}
        return shown | ({"DeletionDate": datetime.fromisoformat(gone)} if gone else {})

    def _arn(self, key: str) -> str:
        return f"arn:aws:kms:{self.runtime.region}:{self.runtime.account}:key/{key}"
