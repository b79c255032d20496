"""Random templates, updated at random, with a call that fails or a daemon that dies: the account is as one of the two says."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Any

import pytest
from fake_cloud import Account, Cloud

from medallion_cli.local.protocol import ServiceError

ROUNDS = 8
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
BAD = ("ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
CHANGES = ("CreateBucket", "DeleteBucket", "PutParameter", "DeleteParameter")


class Killed(BaseException):
    """The daemon dies here."""


def template(chance: random.Random, version: int) -> str:
    """Up to eight buckets and parameters; names are fixed or carry the version, values name earlier ones."""
    resources: dict[str, Any] = {}
    for number in range(8):
        if chance.random() < 0.2:
            continue
        known = [name for name in resources if chance.random() < 0.4]
        marked = version if chance.random() < 0.5 else 0
        if number % 3 == 0:
            body: dict[str, Any] = {
                "Type": "AWS::S3::Bucket", "Properties": {"BucketName": f"bucket-{number}-{marked}"},
            }  # fmt: skip
        else:
            value = {"Fn::Join": [",", [str(marked), *({"Ref": name} for name in known)]]}
            body = {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": f"/p{number}", "Type": "String", "Value": value},
            }
        resources[f"R{number}"] = body | ({"DependsOn": known} if known else {})
    resources.setdefault("R9", {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "bucket-9"}})
    return json.dumps({"Resources": resources})


def content(cloud: Cloud) -> dict[str, Any]:
    return {name: thing.get("Value") for name, thing in cloud.things.items()}


def wanted(body: str) -> dict[str, Any]:
    """What an empty account holds after a deployment."""
    fresh = Account(Cloud())
    fresh.deploy(body)
    return content(fresh.cloud)


def fail_at(cloud: Cloud, moment: int) -> None:
    """The n-th change is refused, once."""
    left = [moment]

    def refuse(operation: str, params: dict[str, Any]) -> None:
        if operation in CHANGES:
            left[0] -= 1
            if left[0] == 0:
                raise ServiceError("ValidationException", "not this time")

    cloud.before = refuse


def kill_at(cloud: Cloud, moment: int) -> None:
    """From the n-th change on nothing works any more; an odd one has still taken effect."""
    left = [moment]
    original = type(cloud).call

    def dying(service: str, operation: str, **params: Any) -> dict[str, Any]:
        if operation in CHANGES:
            left[0] -= 1
        if left[0] < 0:
            raise Killed
        answer = original(cloud, service, operation, **params)
        if left[0] == 0 and moment % 2:
            left[0] = -1
            raise Killed
        return answer

    cloud.call = dying  # type: ignore[method-assign]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_failed_change_leaves_what_was_there(seed: int) -> None:
    chance = random.Random(seed)
    first, second = template(chance, 1), template(chance, 2)
    account = Account(Cloud())
    account.deploy(first)
    before, after = wanted(first), wanted(second)
    assert content(account.cloud) == before
    if account.change_set(second)["Status"] == "FAILED":
        pytest.skip("the two are the same")
    fail_at(account.cloud, chance.randrange(1, 9))
    status = account.deploy(second)
    account.cloud.before = lambda operation, params: None
    assert status in (*GOOD, *BAD)
    left = content(account.cloud)
    expected = after if status in GOOD else before
    assert {name: left.get(name) for name in expected} == expected
    # A failed clean-up is left behind, as CloudFormation does; nothing else is.
    assert len(left) - len(expected) <= sum("DELETE_FAILED" in event for event in account.events())


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_killed_change_goes_on_to_its_end(seed: int) -> None:
    chance = random.Random(seed)
    first, second = template(chance, 1), template(chance, 2)
    cloud = Cloud()
    account = Account(cloud)
    account.deploy(first)
    made = account.change_set(second)
    if made["Status"] == "FAILED":
        pytest.skip("the two are the same")
    kill_at(cloud, chance.randrange(1, 9))
    account.api._spawn = lambda stack: account.api._engine.proceed(stack)  # type: ignore[method-assign]
    with contextlib.suppress(Killed):
        account.api.execute_change_set({"ChangeSetName": made["ChangeSetId"]})
    del cloud.call
    again = Account(cloud)
    again.api.start()
    again.api.wait("demo")
    assert again.status() == "UPDATE_COMPLETE"
    assert content(cloud) == wanted(second)
    assert again.delete() == "DELETE_COMPLETE"
    assert cloud.things == {}
