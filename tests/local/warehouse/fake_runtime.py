"""A runtime and a target without HTTP: the real services and engine, called in the process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scratch_warehouse import ADMIN, DATABASE, PASSWORD, ScratchHost

from medallion_cli.errors import AwsError
from medallion_cli.local.engines.redshift import Redshift
from medallion_cli.local.protocol import ServiceError, invoke
from medallion_cli.local.services import redshift_data, redshift_serverless

SECRET = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:warehouse"
OUTPUTS = {"WorkgroupName": "scratch", "Database": DATABASE, "WarehouseSecretArn": SECRET}


class FakeStore:
    """Documents in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, name: str, default: Any) -> Any:
        path = self._folder / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else default

    def save(self, name: str, value: Any) -> None:
        (self._folder / f"{name}.json").write_text(json.dumps(value))


class FakeRuntime(ScratchHost):
    """Services of the warehouse, started as the daemon starts them."""

    region, account = "eu-central-1", "000000000000"

    def __init__(self, state: Path, cache: Path) -> None:
        super().__init__(state, cache)
        self.store = FakeStore(state / "store")
        self.services: dict[str, Any] = {}
        self.secret = {"username": ADMIN, "password": PASSWORD}
        for module in (redshift_serverless, redshift_data):
            service = module.create(self)  # type: ignore[arg-type]
            self.services[service.name] = service

    def start(self) -> None:
        for service in self.services.values():
            service.start()

    def stop(self) -> None:
        for service in reversed(self.services.values()):
            service.stop()

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        if service == "secretsmanager":
            return {"SecretString": json.dumps(self.secret), "ARN": SECRET}
        return super().call(service, operation, **params)

    def provision(self) -> None:
        """A namespace and a workgroup, both called `scratch`."""
        api = self.client("redshift-serverless")
        api.create_namespace(
            namespaceName="scratch", adminUsername=ADMIN, adminUserPassword=PASSWORD, dbName=DATABASE
        )
        api.create_workgroup(namespaceName="scratch", workgroupName="scratch")

    def engine(self, workgroup: str = "scratch") -> Redshift:
        """The running warehouse behind a workgroup."""
        found: Redshift = self.services["redshift-serverless"].engine(workgroup)
        return found

    def workgroup(self) -> dict[str, Any]:
        """GetWorkgroup's answer."""
        api = self.client("redshift-serverless")
        found: dict[str, Any] = api.get_workgroup(workgroupName="scratch")["workgroup"]
        return found

    def client(self, service: str) -> FakeClient:
        """As a Target gives clients."""
        return FakeClient(self, service)


class FakeClient:
    """Calls a service's operations with keyword arguments; its errors as the aws modules see them."""

    def __init__(self, runtime: FakeRuntime, service: str) -> None:
        self._runtime, self._service = runtime, service

    def __getattr__(self, operation: str) -> Any:
        def call(**params: Any) -> Any:
            if self._service == "secretsmanager":
                return self._runtime.call("secretsmanager", operation, **params)
            name = "".join(part.title() for part in operation.split("_"))
            try:
                return invoke(self._runtime.services, self._service, name, params)
            except ServiceError as error:
                raise AwsError(error.code, str(error)) from None

        return call
