"""Glue: databases of the catalog, and jobs."""

from __future__ import annotations

from typing import Any

from medallion_cli.local.cloudformation.resources.api import (
    arguments,
    generated,
    recreated,
    retagged,
    tag_map,
    told,
    without,
)
from medallion_cli.local.cloudformation.resources.handler import Handler, Made, Properties, Request


def _database(request: Request) -> str:
    given = request.properties
    name = given.get("DatabaseName") or given["DatabaseInput"].get("Name") or generated(request, 255)
    return request.physical_id or str(name).lower()


def _database_input(request: Request) -> dict[str, Any]:
    shaped = arguments("glue", "CreateDatabase", {"DatabaseInput": request.properties["DatabaseInput"]})
    return {**shaped["DatabaseInput"], "Name": _database(request)}


def _create_database(request: Request) -> Made:
    request.call("glue", "CreateDatabase", DatabaseInput=_database_input(request))
    return Made(_database(request))


def _update_database(request: Request) -> Made:
    request.call("glue", "UpdateDatabase", Name=_database(request), DatabaseInput=_database_input(request))
    return Made(_database(request))


def _read_database(request: Request) -> Properties:
    found = request.call("glue", "GetDatabase", Name=request.physical_id)["Database"]
    return told(request.properties, {"DatabaseInput": found})


def _delete_database(request: Request) -> None:
    request.call("glue", "DeleteDatabase", Name=request.physical_id)


def _job(request: Request) -> str:
    return str(request.physical_id or request.properties.get("Name") or generated(request, 255))


def _create_job(request: Request) -> Made:
    params = arguments("glue", "CreateJob", request.properties)
    params |= {"Name": _job(request), "Tags": tag_map(request)}
    request.call("glue", "CreateJob", **params)
    return Made(_job(request))


def _update_job(request: Request) -> Made:
    update = arguments("glue", "CreateJob", without(request.properties, "Name", "Tags"))
    request.call("glue", "UpdateJob", JobName=_job(request), JobUpdate=update)
    _tag(request, request.arn("glue", f"job/{_job(request)}"))
    return Made(_job(request))


def _tag(request: Request, arn: str) -> None:
    fresh, gone = retagged(request)
    if fresh:
        request.call("glue", "TagResource", ResourceArn=arn, TagsToAdd=fresh)
    if gone:
        request.call("glue", "UntagResource", ResourceArn=arn, TagsToRemove=gone)


def _read_job(request: Request) -> Properties:
    return told(request.properties, request.call("glue", "GetJob", JobName=request.physical_id)["Job"])


def _delete_job(request: Request) -> None:
    request.call("glue", "DeleteJob", JobName=request.physical_id)


HANDLERS = {
    "AWS::Glue::Database": Handler(
        _create_database,
        _update_database,
        _delete_database,
        _database,
        recreated(_create_database),
        _read_database,
    ),
    "AWS::Glue::Job": Handler(_create_job, _update_job, _delete_job, _job, recreated(_create_job), _read_job),
}
