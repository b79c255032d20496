"""What every service of the embedded AWS stands on: folders, durable state, the other services."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli.local.state import StateStore

if TYPE_CHECKING:
    from medallion_cli.local.protocol import Service

ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Credentials:
    """Keys that the environment's own clients use; generated, 0600."""

    access_key: str
    secret_key: str


class Runtime:
    """One environment's embedded AWS; one per daemon."""

    def __init__(
        self,
        state: Path,
        cache: Path,
        region: str,
        endpoint: str,
        credentials: Credentials,
        options: Mapping[str, str],
    ) -> None:
        self.state = state
        self.cache = cache
        self.region = region
        self.account = ACCOUNT
        self.endpoint = endpoint
        self.credentials = credentials
        self.options = options
        self.store = StateStore(state / "store")
        self.services: dict[str, Service] = {}

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Calls an API in this process, with the same validation as over HTTP; ServiceError when it refuses."""
        from medallion_cli.local.protocol import invoke

        return invoke(self.services, service, operation, params)

    def object_path(self, bucket: str, key: str) -> Path:
        """The file of an object."""
        return self.state / "objects" / bucket / key

    def engine_user(self) -> tuple[int, int] | None:
        """uid and gid that engines which refuse root run as; None when this is not root."""
        if os.geteuid() != 0:
            return None
        nobody = pwd.getpwnam("nobody")
        return nobody.pw_uid, nobody.pw_gid

    def environment(self) -> dict[str, str]:
        """Environment variables with which a child process reaches this AWS."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def log(self, group: str, stream: str) -> Path:
        """The file of a CloudWatch log stream; append lines of text."""
        path = self.state / "logs" / "groups" / group.strip("/") / f"{stream.replace('/', '_')}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
