"""A rollback that fails waits: it goes on when what was in its way is gone, or without the resource."""

from __future__ import annotations

from typing import Any

import pytest
from fake_cloud import Account, Cloud

from medallion_cli.local.protocol import ServiceError

BODY = """
Resources:
  First: {Type: 'AWS::SSM::Parameter', Properties: {Name: /a, Type: String, Value: %(first)s}}
  Second:
    Type: AWS::SSM::Parameter
    DependsOn: First
    Properties: {Name: /b, Type: String, Value: %(second)s}
"""
OLD, NEW = BODY % {"first": "one", "second": "one"}, BODY % {"first": "two", "second": "two"}


@pytest.fixture
def stuck(account: Account, cloud: Cloud) -> Account:
    """The second parameter refuses the update, then the first one refuses to go back."""
    account.deploy(OLD)

    def refuse(operation: str, params: dict[str, Any]) -> None:
        if operation == "PutParameter" and (params["Name"], params["Value"]) in (
            ("/b", "two"),
            ("/a", "one"),
        ):
            raise ServiceError("ValidationException", f"{params['Name']} refuses {params['Value']}")

    cloud.before = refuse
    assert account.deploy(NEW) == "UPDATE_ROLLBACK_FAILED"
    return account


def test_what_could_not_be_restored_is_named(stuck: Account) -> None:
    assert stuck.stack()["StackStatusReason"] == "The following resource(s) failed to update: [First]. "
    assert "/a refuses one" in stuck.reason("First", "UPDATE_FAILED")


def test_it_can_not_be_updated(stuck: Account) -> None:
    with pytest.raises(ServiceError, match="UPDATE_ROLLBACK_FAILED state and can not be updated"):
        stuck.change_set(OLD, kind="UPDATE")


def test_it_goes_on_when_nothing_is_in_the_way(stuck: Account, cloud: Cloud) -> None:
    cloud.before = lambda operation, params: None
    stuck.api.continue_update_rollback({"StackName": "demo"})
    stuck.api.wait("demo")
    assert stuck.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert cloud.things["/a"]["Value"] == cloud.things["/b"]["Value"] == "one"
    assert stuck.deploy(NEW) == "UPDATE_COMPLETE"


def test_it_fails_again_when_something_still_is(stuck: Account) -> None:
    stuck.api.continue_update_rollback({"StackName": "demo"})
    stuck.api.wait("demo")
    assert stuck.status() == "UPDATE_ROLLBACK_FAILED"


def test_it_goes_on_without_the_resource(stuck: Account, cloud: Cloud) -> None:
    """AWS counts a skipped resource as restored, though it is not."""
    stuck.api.continue_update_rollback({"StackName": "demo", "ResourcesToSkip": ["First"]})
    stuck.api.wait("demo")
    assert stuck.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert "First UPDATE_COMPLETE" in stuck.events()
    assert cloud.things["/a"]["Value"] == "two"


def test_only_what_failed_can_be_skipped(stuck: Account) -> None:
    with pytest.raises(ServiceError, match=r"must be in UPDATE_FAILED state: \[Nothing\]"):
        stuck.api.continue_update_rollback({"StackName": "demo", "ResourcesToSkip": ["Nothing"]})


def test_it_goes_on_after_a_restart(stuck: Account, cloud: Cloud) -> None:
    cloud.before = lambda operation, params: None
    again = Account(cloud)
    again.api.start()
    assert again.status() == "UPDATE_ROLLBACK_FAILED"
    again.api.continue_update_rollback({"StackName": "demo"})
    again.api.wait("demo")
    assert again.status() == "UPDATE_ROLLBACK_COMPLETE"


def test_it_can_be_deleted(stuck: Account, cloud: Cloud) -> None:
    cloud.before = lambda operation, params: None
    assert stuck.delete() == "DELETE_COMPLETE"
    assert cloud.things == {}


def test_a_stack_that_is_well_has_nothing_to_continue(account: Account) -> None:
    account.deploy(OLD)
    with pytest.raises(ServiceError, match="CREATE_COMPLETE state and can not continue"):
        account.api.continue_update_rollback({"StackName": "demo"})
