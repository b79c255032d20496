"""SNS topics, SSM parameters and log groups."""

from __future__ import annotations

from typing import Any

from medallion_cli.local.cloudformation.resources.api import (
    arguments,
    generated,
    optional,
    recreated,
    tag_map,
    told,
    without,
)
from medallion_cli.local.cloudformation.resources.handler import Handler, Made, Properties, Request
from medallion_cli.local.protocol import ServiceError

_TOPIC_ATTRIBUTES = (
    "DisplayName",
    "KmsMasterKeyId",
    "FifoTopic",
    "ContentBasedDeduplication",
    "SignatureVersion",
)


def _topic_arn(request: Request) -> str:
    name = request.properties.get("TopicName") or generated(request, 256)
    return request.physical_id or request.arn("sns", str(name))


def _create_topic(request: Request) -> Made:
    given = request.properties
    attributes = {name: _attribute(given[name]) for name in _TOPIC_ATTRIBUTES if name in given}
    name = _topic_arn(request).rsplit(":", 1)[-1]
    request.call("sns", "CreateTopic", Name=name, Attributes=attributes or None, Tags=given.get("Tags"))
    _subscribe(request, given.get("Subscription", []))
    return _made_topic(request)


def _attribute(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _subscribe(request: Request, subscriptions: list[dict[str, str]]) -> None:
    """Nobody gets mail from a local topic: where SNS has no Subscribe, the subscription is inert."""
    for item in subscriptions:
        facts = {"TopicArn": _topic_arn(request), "Protocol": item["Protocol"], "Endpoint": item["Endpoint"]}
        optional(request, "sns", "Subscribe", facts)


def _made_topic(request: Request) -> Made:
    arn = _topic_arn(request)
    return Made(arn, {"TopicArn": arn, "TopicName": arn.rsplit(":", 1)[-1]})


def _update_topic(request: Request) -> Made:
    for name in _TOPIC_ATTRIBUTES:
        value = request.properties.get(name)
        if value is not None and value != request.before.get(name):
            request.call(
                "sns",
                "SetTopicAttributes",
                TopicArn=_topic_arn(request),
                AttributeName=name,
                AttributeValue=_attribute(value),
            )
    known = request.before.get("Subscription", [])
    _subscribe(request, [item for item in request.properties.get("Subscription", []) if item not in known])
    return _made_topic(request)


def _read_topic(request: Request) -> Properties:
    found = request.call("sns", "GetTopicAttributes", TopicArn=request.physical_id)["Attributes"]
    return told(request.properties, {"TopicName": request.physical_id.rsplit(":", 1)[-1], **found})


def _delete_topic(request: Request) -> None:
    request.call("sns", "DeleteTopic", TopicArn=request.physical_id)


def _parameter(request: Request) -> str:
    return str(request.physical_id or request.properties.get("Name") or generated(request, 1000))


def _put(request: Request, *, overwrite: bool) -> Made:
    params = arguments("ssm", "PutParameter", without(request.properties, "Tags"))
    request.call("ssm", "PutParameter", **params | {"Name": _parameter(request), "Overwrite": overwrite})
    arn = request.arn("ssm", f"parameter/{_parameter(request).removeprefix('/')}")
    return Made(_parameter(request), {"Arn": arn, "Type": params["Type"], "Value": params["Value"]})


def _create_parameter(request: Request) -> Made:
    return _put(request, overwrite=False)


def _update_parameter(request: Request) -> Made:
    return _put(request, overwrite=True)


def _read_parameter(request: Request) -> Properties:
    found = request.call("ssm", "GetParameter", Name=request.physical_id)["Parameter"]
    return told(request.properties, found)


def _delete_parameter(request: Request) -> None:
    request.call("ssm", "DeleteParameter", Name=request.physical_id)


def _group(request: Request) -> str:
    return str(request.physical_id or request.properties.get("LogGroupName") or generated(request, 512))


def _create_group(request: Request) -> Made:
    given = request.properties
    request.call(
        "logs",
        "CreateLogGroup",
        logGroupName=_group(request),
        kmsKeyId=given.get("KmsKeyId"),
        tags=tag_map(request) or None,
    )
    return _retain(request)


def _retain(request: Request) -> Made:
    days = request.properties.get("RetentionInDays")
    if days is not None:
        request.call("logs", "PutRetentionPolicy", logGroupName=_group(request), retentionInDays=days)
    return Made(_group(request), {"Arn": request.arn("logs", f"log-group:{_group(request)}:*")})


def _read_group(request: Request) -> Properties:
    name = request.physical_id
    found = request.call("logs", "DescribeLogGroups", logGroupNamePrefix=name)["logGroups"]
    for group in found:
        if group["logGroupName"] == name:
            return told(request.properties, group)
    raise ServiceError("ResourceNotFoundException", f"The log group {name} does not exist.")


def _delete_group(request: Request) -> None:
    request.call("logs", "DeleteLogGroup", logGroupName=request.physical_id)


HANDLERS = {
    "AWS::SNS::Topic": Handler(
        _create_topic, _update_topic, _delete_topic, _topic_arn, recreated(_create_topic), _read_topic
    ),
    "AWS::SSM::Parameter": Handler(
        _create_parameter,
        _update_parameter,
        _delete_parameter,
        _parameter,
        recreated(_create_parameter),
        _read_parameter,
    ),
    "AWS::Logs::LogGroup": Handler(
        _create_group, _retain, _delete_group, _group, recreated(_create_group), _read_group
    ),
}
