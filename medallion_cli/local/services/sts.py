"""Who the caller is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime


def create(runtime: Runtime) -> Service:
    """The service."""
    return Sts(runtime)


class Sts(Service):
    """AWS STS."""

    name = "sts"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def get_caller_identity(self, params: dict[str, Any]) -> dict[str, Any]:
        """The one identity of an embedded AWS."""
        account = self.runtime.account
        return {"UserId": "medallion", "Account": account, "Arn": f"arn:aws:iam::{account}:user/medallion"}
