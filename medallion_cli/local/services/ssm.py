"""Systems Manager parameters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime


def create(runtime: Runtime) -> Service:
    """The service."""
    return Ssm(runtime)


class Ssm(Service):
    """AWS SSM Parameter Store."""

    name = "ssm"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def put_parameter(self, params: dict[str, Any]) -> dict[str, Any]:
        """Writes a parameter; an existing one only with Overwrite."""
        name = params["Name"]
        with self.runtime.store.changing("ssm", {}) as known:
            if name in known and not params.get("Overwrite"):
                raise ServiceError("ParameterAlreadyExists", "The parameter already exists.")
            version = known.get(name, {}).get("Version", 0) + 1
            kind = params.get("Type", known.get(name, {}).get("Type", "String"))
            now = datetime.now(UTC).isoformat()
            facts = {"Name": name, "Type": kind, "Value": params["Value"]}
            known[name] = {**facts, "Version": version, "LastModifiedDate": now}
        return {"Version": version, "Tier": "Standard"}

    def get_parameter(self, params: dict[str, Any]) -> dict[str, Any]:
        """One parameter."""
        found = self._known().get(params["Name"])
        if found is None:
            raise ServiceError("ParameterNotFound", f"Parameter {params['Name']} not found.")
        return {"Parameter": _shown(found)}

    def get_parameters(self, params: dict[str, Any]) -> dict[str, Any]:
        """Several parameters."""
        known = self._known()
        names = params["Names"]
        found = [_shown(known[n]) for n in names if n in known]
        return {"Parameters": found, "InvalidParameters": [n for n in names if n not in known]}

    def delete_parameter(self, params: dict[str, Any]) -> dict[str, Any]:
        """Forgets a parameter."""
        with self.runtime.store.changing("ssm", {}) as known:
            if known.pop(params["Name"], None) is None:
                raise ServiceError("ParameterNotFound", f"Parameter {params['Name']} not found.")
        return {}

    def _known(self) -> dict[str, Any]:
        known: dict[str, Any] = self.runtime.store.load("ssm", {})
        return known


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "LastModifiedDate": datetime.fromisoformat(entry["LastModifiedDate"])}
