"""Every answer fits the API's own model: what the engine says reaches a client whole."""

from __future__ import annotations

from typing import Any

import pytest
from fake_cloud import Account

from medallion_cli.local.protocol import ServiceError, invoke, serialise, service_model

BODY = """
Description: One bucket
Parameters: {P: {Type: String, Default: a}}
Resources: {Bucket: {Type: 'AWS::S3::Bucket'}}
Outputs: {Name: {Value: !Ref Bucket, Export: {Name: bucket}}}
"""
READS: dict[str, dict[str, Any]] = {
    "DescribeStacks": {"StackName": "demo"},
    "ListStacks": {},
    "DescribeStackEvents": {"StackName": "demo"},
    "DescribeStackResources": {"StackName": "demo"},
    "DescribeStackResource": {"StackName": "demo", "LogicalResourceId": "Bucket"},
    "ListStackResources": {"StackName": "demo"},
    "GetTemplate": {"StackName": "demo"},
    "GetTemplateSummary": {"StackName": "demo"},
    "ValidateTemplate": {"TemplateBody": BODY},
    "ListChangeSets": {"StackName": "demo"},
    "ListExports": {},
}


def over_the_wire(account: Account, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    from botocore.parsers import create_parser

    result = invoke({"cloudformation": account.api}, "cloudformation", operation, params)
    status, headers, body = serialise("cloudformation", operation, result)
    text = body.encode() if isinstance(body, str) else body
    shape = service_model("cloudformation").operation_model(operation).output_shape
    answer = create_parser("query").parse({"status_code": status, "headers": headers, "body": text}, shape)
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@pytest.mark.parametrize(("operation", "params"), READS.items())
def test_nothing_is_lost_between_engine_and_client(
    account: Account, operation: str, params: dict[str, Any]
) -> None:
    account.deploy(BODY)
    said = invoke({"cloudformation": account.api}, "cloudformation", operation, params)
    assert _plain(over_the_wire(account, operation, params)) == _plain(said)


def _plain(value: Any) -> Any:
    """Comparable across the wire: no empty lists, times to the second."""
    match value:
        case dict():
            return {name: _plain(item) for name, item in value.items() if item not in ([], None, "")}
        case list():
            return [_plain(item) for item in value]
    return value.replace(microsecond=0).isoformat() if hasattr(value, "isoformat") else value


def test_a_change_set_with_details_reaches_the_client(account: Account) -> None:
    account.deploy(BODY)
    made = account.change_set(BODY.replace("'}}", "', Properties: {BucketName: fresh-one}}}"))
    asked = {"ChangeSetName": made["ChangeSetId"], "IncludePropertyValues": True}
    got = over_the_wire(account, "DescribeChangeSet", asked)
    change = got["Changes"][0]["ResourceChange"]
    assert (change["Action"], change["Replacement"], change["Scope"]) == ("Modify", "True", ["Properties"])
    assert change["Details"][0]["Target"]["AfterValue"] == "fresh-one"


def test_a_refusal_is_a_service_error_with_its_code(account: Account) -> None:
    with pytest.raises(ServiceError) as caught:
        account.api.describe_stacks({"StackName": "nothing"})
    assert (caught.value.code, caught.value.message) == (
        "ValidationError",
        "Stack with id nothing does not exist",
    )


def test_events_come_a_hundred_at_a_time_and_each_once(account: Account) -> None:
    """What happens while somebody pages is on the first page of the next time, and shifts nothing."""
    account.deploy(BODY)
    stack = account.api._find("demo")
    for number in range(230):
        stack.record("UPDATE_IN_PROGRESS", str(number))
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = account.api.describe_stack_events({"StackName": "demo"} | token)
        assert len(page["StackEvents"]) <= 100
        seen += [event["EventId"] for event in page["StackEvents"]]
        stack.record("UPDATE_IN_PROGRESS", "new")
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert len(seen) == len(set(seen)) == len(stack.events) - 3


def test_a_resource_tells_its_metadata(account: Account) -> None:
    account.deploy(BODY.replace("'AWS::S3::Bucket'", "'AWS::S3::Bucket', Metadata: {a: b}"))
    asked = {"StackName": "demo", "LogicalResourceId": "Bucket"}
    found = account.api.describe_stack_resource(asked)["StackResourceDetail"]
    assert found["Metadata"] == '{"a": "b"}'
