"""EventBridge Scheduler: the schedules of the pipeline, the generator and housekeeping, on or off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

OUTPUTS = ("PipelineScheduleName", "GeneratorScheduleName", "HousekeepingScheduleName")
# update_schedule replaces the whole schedule: what describes it is read and sent again.
KEPT = (
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "Name",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "Target",
)


@dataclass(frozen=True)
class Schedule:
    """One schedule."""

    name: str
    enabled: bool
    expression: str
    changed: datetime | None = None  # when it was last switched, or made


def schedules(target: Target, outputs: dict[str, str]) -> list[Schedule]:
    """All of them."""
    client, group = target.client("scheduler"), outputs["ScheduleGroupName"]
    return [_schedule(client.get_schedule(GroupName=group, Name=name)) for name in _names(outputs)]


def switch(
    target: Target, outputs: dict[str, str], enabled: bool, names: Sequence[str] | None = None
) -> list[Schedule]:
    """Switches them (those named) on or off; returns all as they are then."""
    client, group = target.client("scheduler"), outputs["ScheduleGroupName"]
    wanted = "ENABLED" if enabled else "DISABLED"
    for name in _names(outputs) if names is None else names:
        found = client.get_schedule(GroupName=group, Name=name)
        if found["State"] != wanted:
            client.update_schedule(**{key: found[key] for key in KEPT if key in found}, State=wanted)
    return schedules(target, outputs)


def _names(outputs: dict[str, str]) -> list[str]:
    return [outputs[key] for key in OUTPUTS if key in outputs]


def _schedule(found: dict[str, Any]) -> Schedule:
    enabled, changed = found["State"] == "ENABLED", found.get("LastModificationDate")
    return Schedule(found["Name"], enabled, found["ScheduleExpression"], changed)
