"""Whether the source writes a binary log that DMS can read; the running server is asked, not its parameter group.

AWS DMS user guide, "Using a MySQL-compatible database as a source".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from medallion_cli.aws.source import Source
from medallion_cli.errors import MedallionError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

# variable → the values with which capture works; one that a server does not have is right
WANTED: dict[str, tuple[str, ...]] = {
    "log_bin": ("ON", "1"),
    "binlog_format": ("ROW",),
    "binlog_row_image": ("FULL",),
    "binlog_checksum": ("NONE",),
    "binlog_transaction_compression": ("OFF", "0"),
    "log_bin_compress": ("OFF", "0"),
}
LEAST_HOURS = 24
RDS_RETENTION = "binlog retention hours"  # of mysql.rds_configuration; NULL: as soon as RDS can


def check(target: Target, outputs: Mapping[str, str]) -> None:
    """MedallionError that names every setting with which changes would be lost."""
    found = Source(target, outputs["SourceFunctionName"]).call("settings")["settings"]
    if wrong := list(faults(found)):
        # `up` brings the parameter group and the retention; what is static there needs a reboot, which RDS does when asked.
        hint = "medallion up, reboot the instance (RDS console), then: medallion replicate start"
        raise MedallionError("the source's binary log: " + "; ".join(wrong), hint=hint)


def faults(settings: Mapping[str, str | None]) -> Iterator[str]:
    """What is wrong with a server's settings, by name."""
    yield from wrong_values(settings)
    hours = retention(settings)
    if hours is not None and hours < LEAST_HOURS:
        yield f"it is kept for {hours:g} hours, less than {LEAST_HOURS}"


def wrong_values(settings: Mapping[str, str | None]) -> Iterator[str]:
    """Variables with which capture does not work, by name."""
    for name, values in WANTED.items():
        if name in settings and str(settings[name]).upper() not in values:
            yield f"{name} is {settings[name]}, not {values[0]}"


def retention(settings: Mapping[str, str | None]) -> float | None:
    """Hours that the binlog is kept; None: until there is no room."""
    if RDS_RETENTION in settings:
        return float(settings[RDS_RETENTION] or 0)
    seconds = float(settings.get("binlog_expire_logs_seconds") or 0)
    return seconds / 3600 if seconds else None
