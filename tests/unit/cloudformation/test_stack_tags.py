"""Tags of a stack reach every resource that takes tags."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_cloud import Account, Cloud

from medallion_cli.local.protocol import ServiceError

BODY = """
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: {SecretString: x, Tags: [{Key: owner, Value: mine}]}
  Job:
    Type: AWS::Glue::Job
    Properties:
      Role: arn:aws:iam::000000000000:role/r
      Command: {Name: glueetl, ScriptLocation: 's3://a/b.py'}
  Database: {Type: 'AWS::Glue::Database', Properties: {CatalogId: '0', DatabaseInput: {Name: silver}}}
"""


def tags(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def sent(cloud: Cloud, operation: str) -> dict[str, Any]:
    return next(params for name, params in cloud.calls if name == operation)


def test_they_are_given_with_creation_and_the_resources_own_win(account: Account, cloud: Cloud) -> None:
    account.deploy(BODY, Tags=tags(owner="stack", project="retail"))
    assert sent(cloud, "CreateSecret")["Tags"] == tags(owner="mine", project="retail")
    assert sent(cloud, "CreateJob")["Tags"] == {"owner": "stack", "project": "retail"}
    assert "Tags" not in sent(cloud, "CreateDatabase")


def test_changed_tags_are_a_change_of_each_resource_that_has_them(account: Account, cloud: Cloud) -> None:
    account.deploy(BODY, Tags=tags(project="retail", gone="soon"))
    made = account.change_set(BODY, Tags=tags(project="wholesale"))
    changes = {
        item["ResourceChange"]["LogicalResourceId"]: item["ResourceChange"] for item in made["Changes"]
    }
    assert changes.keys() == {"Secret", "Job"}
    assert changes["Job"]["Scope"] == ["Tags"]
    assert changes["Job"]["Replacement"] == "False"
    (detail,) = changes["Job"]["Details"]
    assert detail["Target"] == {"Attribute": "Tags", "RequiresRecreation": "Never"}
    cloud.calls.clear()
    account.deploy(BODY, Tags=tags(project="wholesale"))
    assert {"TagResource", "UntagResource"} <= set(cloud.operations())
    assert (
        "didn't contain changes" in account.change_set(BODY, Tags=tags(project="wholesale"))["StatusReason"]
    )


def test_tags_that_a_request_leaves_out_stay(account: Account) -> None:
    account.deploy(BODY, Tags=tags(project="retail"))
    assert account.change_set(BODY)["Status"] == "FAILED"
    assert account.stack()["Tags"] == tags(project="retail")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (tags(a="1") + tags(a="2"), "Duplicate tag keys"),
        ([{"Key": "aws:mine", "Value": "1"}], "aws: prefixed tag key names are not allowed"),
        ([{"Key": str(number), "Value": ""} for number in range(51)], "exceeds the limit of 50"),
    ],
)
def test_tags_that_aws_refuses(account: Account, given: list[dict[str, str]], message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        account.change_set(BODY, Tags=given)


def test_a_rollback_takes_new_tags_back(account: Account, cloud: Cloud) -> None:
    account.deploy(BODY, Tags=tags(project="retail"))
    cloud.failing["CreateBucket"] = ServiceError("TooManyBuckets", "no")
    grown = BODY + "  Late: {Type: 'AWS::S3::Bucket', DependsOn: [Secret, Job]}\n"
    assert account.deploy(grown, Tags=tags(project="wholesale")) == "UPDATE_ROLLBACK_COMPLETE"
    last = [params for name, params in cloud.calls if name == "TagResource" and "TagsToAdd" in params][-1]
    assert last["TagsToAdd"] == {"project": "retail"}
    assert account.stack()["Tags"] == tags(project="retail")


def test_a_stack_of_an_older_version_has_its_tags_already(account: Account, cloud: Cloud) -> None:
    """Its document knows neither tags of resources nor imports: nothing is due because of that."""
    account.deploy(BODY, Tags=tags(project="retail"))
    for name, text in cloud.store.texts.items():
        document = json.loads(text)
        if name != "cloudformation":
            for key in ("suspended", "imports"):
                del document[key]
            for resource in document["resources"].values():
                del resource["tags"], resource["before_tags"]
            cloud.store.texts[name] = json.dumps(document)
    again = Account(cloud)
    assert "didn't contain changes" in again.change_set(BODY)["StatusReason"]
