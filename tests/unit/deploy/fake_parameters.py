"""SSM's parameters in memory."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from medallion_cli.errors import AwsError
from medallion_cli.settings import Settings


class Parameters:
    """SSM, as far as a lock speaks to it; a target at the same time."""

    def __init__(self) -> None:
        self.settings = Settings(env="dev", prefix="retail-dev")
        self.known: dict[str, tuple[str, datetime]] = {}

    def client(self, service: str) -> Parameters:
        assert service == "ssm"
        return self

    def put_parameter(self, Name: str, Value: str, Type: str, Overwrite: bool) -> None:
        if Name in self.known and not Overwrite:
            raise AwsError("ParameterAlreadyExists", Name)
        self.known[Name] = (Value, datetime.now(UTC))

    def get_parameter(self, Name: str) -> dict[str, Any]:
        if Name not in self.known:
            raise AwsError("ParameterNotFound", Name)
        value, moment = self.known[Name]
        return {"Parameter": {"Value": value, "LastModifiedDate": moment}}

    def delete_parameter(self, Name: str) -> None:
        if self.known.pop(Name, None) is None:
            raise AwsError("ParameterNotFound", Name)

    def change(self, **facts: Any) -> None:
        """Another holder than the one that is there."""
        (name, (value, moment)) = next(iter(self.known.items()))
        self.known[name] = (json.dumps(json.loads(value) | facts), moment)

    def age(self, by: timedelta) -> None:
        (name, (value, moment)) = next(iter(self.known.items()))
        self.known[name] = (value, moment - by)
