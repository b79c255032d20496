"""EventBridge Scheduler: groups and schedules."""

from __future__ import annotations

from medallion_cli.local.cloudformation.resources.api import arguments, generated, recreated, tag_map, told
from medallion_cli.local.cloudformation.resources.handler import Handler, Made, Properties, Request


def _name(request: Request) -> str:
    return str(request.physical_id or request.properties.get("Name") or generated(request, 64))


def _group(request: Request) -> str:
    return str(request.properties.get("GroupName", "default"))


def _create(request: Request) -> Made:
    params = arguments("scheduler", "CreateSchedule", request.properties)
    request.call("scheduler", "CreateSchedule", **params | {"Name": _name(request)})
    return _made(request)


def _made(request: Request) -> Made:
    arn = request.arn("scheduler", f"schedule/{_group(request)}/{_name(request)}")
    return Made(_name(request), {"Arn": arn})


def _update(request: Request) -> Made:
    """UpdateSchedule replaces the whole schedule, its State among it."""
    params = arguments("scheduler", "UpdateSchedule", request.properties)
    request.call("scheduler", "UpdateSchedule", **params | {"Name": _name(request)})
    return _made(request)


def _delete(request: Request) -> None:
    request.call("scheduler", "DeleteSchedule", Name=request.physical_id, GroupName=_group(request))


def _read(request: Request) -> Properties:
    found = request.call("scheduler", "GetSchedule", Name=request.physical_id, GroupName=_group(request))
    return told(request.properties, found)


def _create_group(request: Request) -> Made:
    tags = [{"Key": key, "Value": value} for key, value in tag_map(request).items()]
    request.call("scheduler", "CreateScheduleGroup", Name=_name(request), Tags=tags or None)
    return _made_group(request)


def _made_group(request: Request) -> Made:
    arn = request.arn("scheduler", f"schedule-group/{_name(request)}")
    return Made(_name(request), {"Arn": arn, "State": "ACTIVE"})


def _delete_group(request: Request) -> None:
    request.call("scheduler", "DeleteScheduleGroup", Name=request.physical_id)


def _read_group(request: Request) -> Properties:
    found = request.call("scheduler", "GetScheduleGroup", Name=request.physical_id)
    return told(request.properties, found)


HANDLERS = {
    "AWS::Scheduler::Schedule": Handler(_create, _update, _delete, _name, recreated(_create), _read),
    "AWS::Scheduler::ScheduleGroup": Handler(
        _create_group, _made_group, _delete_group, _name, recreated(_create_group), _read_group
    ),
}
