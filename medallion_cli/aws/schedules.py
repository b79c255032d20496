"""EventBridge Scheduler: the pipeline's and the generator's schedule, on or off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

OUTPUTS = ("PipelineScheduleName", "GeneratorScheduleName")
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


def schedules(target: Target, outputs: dict[str, str]) -> list[Schedule]:
    """Both of them."""
    return [_schedule(target, outputs, outputs[key]) for key in OUTPUTS]


def switch(target: Target, outputs: dict[str, str], enabled: bool) -> list[Schedule]:
    """Switches both on or off; returns them as they are then."""
    client = target.client("scheduler")
    for key in OUTPUTS:
        found = client.get_schedule(GroupName=outputs["ScheduleGroupName"], Name=outputs[key])
        kept = {name: found[name] for name in KEPT if name in found}
        client.update_schedule(**kept, State="ENABLED" if enabled else "DISABLED")
    return schedules(target, outputs)


def _schedule(target: Target, outputs: dict[str, str], name: str) -> Schedule:
    found = target.client("scheduler").get_schedule(GroupName=outputs["ScheduleGroupName"], Name=name)
    return Schedule(name, found["State"] == "ENABLED", found["ScheduleExpression"])
