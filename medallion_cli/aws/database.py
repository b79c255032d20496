"""RDS: the source database as an instance; what is inside of it is behind the source function (see aws/source.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

# Statuses in which nothing answers though it will by itself; any other that is not DOWN answers
# (docs.aws.amazon.com/AmazonRDS: accessing-monitoring.html#Overview.DBInstance.Status).
COMING = ("creating", "starting", "rebooting", "upgrading", "moving-to-vpc", "renaming", "stopping")
DOWN = ("stopped", "failed", "storage-full", "deleting", "restore-error", "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable", "incompatible-parameters", "incompatible-network",
        "incompatible-option-group", "incompatible-restore", "incompatible-credentials")  # fmt: skip


@dataclass(frozen=True)
class Instance:
    """The instance now; `reason` is what RDS says about a status."""

    status: str
    reason: str

    @property
    def answers(self) -> bool:
        """Whether connections are taken."""
        return self.status not in (*COMING, *DOWN)

    @property
    def is_coming(self) -> bool:
        """Whether it will answer, or at least settle, by itself."""
        return self.status in COMING


class Database:
    """The database of one environment."""

    def __init__(self, target: Target, identifier: str) -> None:
        self.client = target.client("rds")
        self.identifier = identifier

    def instance(self) -> Instance:
        """The instance now."""
        found: dict[str, Any] = self.client.describe_db_instances(DBInstanceIdentifier=self.identifier)[
            "DBInstances"
        ][0]
        reasons = [info.get("Message", "") for info in found.get("StatusInfos", [])]
        return Instance(str(found["DBInstanceStatus"]), "; ".join(filter(None, reasons)))

    def stop(self) -> None:
        """Asks it to stop; AWS starts it again after seven days."""
        self.client.stop_db_instance(DBInstanceIdentifier=self.identifier)

    def start(self) -> None:
        """Asks it to start."""
        self.client.start_db_instance(DBInstanceIdentifier=self.identifier)
