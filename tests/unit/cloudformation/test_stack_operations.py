"""Stacks: creation, updates, replacement, rollback, deletion, and going on after a crash."""

from __future__ import annotations

import contextlib

import pytest
from fake_cloud import Account, Cloud

from medallion_cli.local.protocol import ServiceError

TWO = """
Parameters:
  Value: {Type: String, Default: one}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /demo/bucket, Type: String, Value: !Sub "${Bucket}:${Value}"}
Outputs:
  BucketArn: {Value: !GetAtt Bucket.Arn}
"""


def given(**values: str) -> list[dict[str, str]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]


def fail_once(cloud: Cloud, operation: str) -> None:
    """The next call of an operation is refused."""

    def refuse(called: str, params: object) -> None:
        if called == operation:
            cloud.before = lambda called, params: None
            raise ServiceError("ValidationException", "not this time")

    cloud.before = refuse


def test_create_makes_resources_in_dependency_order_and_tells_each_step(
    account: Account, cloud: Cloud
) -> None:
    assert account.deploy(TWO) == "CREATE_COMPLETE"
    bucket = account.physical("Bucket")
    assert bucket.startswith("demo-bucket-")
    assert cloud.things["/demo/bucket"]["Value"] == f"{bucket}:one"
    assert account.outputs() == {"BucketArn": f"arn:aws:s3:::{bucket}"}
    assert account.events() == [
        "demo REVIEW_IN_PROGRESS",
        "demo CREATE_IN_PROGRESS",
        "Bucket CREATE_IN_PROGRESS",
        "Bucket CREATE_IN_PROGRESS",
        "Bucket CREATE_COMPLETE",
        "Setting CREATE_IN_PROGRESS",
        "Setting CREATE_IN_PROGRESS",
        "Setting CREATE_COMPLETE",
        "demo CREATE_COMPLETE",
    ]


def test_update_touches_only_what_changed(account: Account, cloud: Cloud) -> None:
    account.deploy(TWO)
    cloud.calls.clear()
    assert account.deploy(TWO, Parameters=given(Value="two")) == "UPDATE_COMPLETE"
    assert cloud.operations() == ["PutParameter"]
    assert cloud.things["/demo/bucket"]["Value"].endswith(":two")


def test_no_change_is_a_failed_change_set_with_the_reason_of_aws(account: Account) -> None:
    account.deploy(TWO)
    made = account.change_set(TWO)
    assert (made["Status"], made["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert made["StatusReason"] == (
        "The submitted information didn't contain changes. "
        "Submit different information to create a change set."
    )


def test_a_changed_output_alone_is_a_change(account: Account) -> None:
    account.deploy(TWO)
    assert account.deploy(TWO + "  Name: {Value: !Ref Bucket}\n") == "UPDATE_COMPLETE"
    assert account.outputs()["Name"] == account.physical("Bucket")


def test_a_create_only_change_replaces_and_cleans_up_after(account: Account, cloud: Cloud) -> None:
    account.deploy(TWO)
    old = account.physical("Bucket")
    named = TWO.replace("AWS::S3::Bucket", "AWS::S3::Bucket\n    Properties: {BucketName: fresh-bucket}")
    made = account.change_set(named)
    changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in made["Changes"]}
    assert changes["Bucket"]["Replacement"] == "True"
    assert changes["Setting"]["Details"][0]["Evaluation"] == "Dynamic"
    cloud.calls.clear()
    assert account.deploy(named) == "UPDATE_COMPLETE"
    assert cloud.operations() == ["CreateBucket", "PutParameter", "DeleteBucket"]
    assert old not in cloud.things
    assert cloud.things["/demo/bucket"]["Value"] == "fresh-bucket:one"


def test_a_custom_name_cannot_be_replaced(account: Account) -> None:
    body = "Resources: {Key: {Type: 'AWS::RDS::DBParameterGroup', Properties: %s}}"
    account.deploy(body % "{DBParameterGroupName: pg, Family: mysql8.0, Description: a}")
    changed = body % "{DBParameterGroupName: pg, Family: mysql8.4, Description: a}"
    assert account.deploy(changed) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Rename pg and update the stack again" in account.reason("Key", "UPDATE_FAILED")


def test_a_failed_create_deletes_what_was_made(account: Account, cloud: Cloud) -> None:
    cloud.failing["PutParameter"] = ServiceError("ValidationException", "no such tier")
    assert account.deploy(TWO) == "ROLLBACK_COMPLETE"
    assert cloud.things == {}
    assert "no such tier" in account.reason("Setting", "CREATE_FAILED")
    assert "Rollback requested by user" in account.reason("demo", "ROLLBACK_IN_PROGRESS")
    assert account.events()[-2:] == ["Bucket DELETE_COMPLETE", "demo ROLLBACK_COMPLETE"]


def test_a_rolled_back_stack_can_only_be_deleted(account: Account, cloud: Cloud) -> None:
    cloud.failing["PutParameter"] = ServiceError("ValidationException", "no")
    account.deploy(TWO)
    with pytest.raises(Exception, match="ROLLBACK_COMPLETE state and can not be updated"):
        account.change_set(TWO, kind="UPDATE")
    assert account.delete() == "DELETE_COMPLETE"


def test_a_failed_update_restores_the_previous_properties(account: Account, cloud: Cloud) -> None:
    body = TWO.replace("Outputs:", "  Late: {Type: AWS::S3::Bucket, DependsOn: Setting}\nOutputs:")
    account.deploy(TWO)

    def refuse(operation: str, params: object) -> None:
        if operation == "CreateBucket":
            raise ServiceError("TooManyBuckets", "you have too many buckets")

    cloud.before = refuse
    assert account.deploy(body, Parameters=given(Value="two")) == "UPDATE_ROLLBACK_COMPLETE"
    assert cloud.things["/demo/bucket"]["Value"].endswith(":one")
    assert account.stack()["Parameters"] == given(Value="one")
    assert "Late" not in account.api._find("demo").resources
    cloud.before = lambda operation, params: None
    assert account.deploy(body, Parameters=given(Value="two")) == "UPDATE_COMPLETE"


def test_a_replacement_is_undone_by_a_rollback(account: Account, cloud: Cloud) -> None:
    account.deploy(TWO)
    old = account.physical("Bucket")
    fail_once(cloud, "PutParameter")
    named = TWO.replace("AWS::S3::Bucket", "AWS::S3::Bucket\n    Properties: {BucketName: fresh-bucket}")
    assert account.deploy(named) == "UPDATE_ROLLBACK_COMPLETE"
    assert account.physical("Bucket") == old
    assert list(cloud.things) == [old, "/demo/bucket"]


def test_delete_goes_backwards_and_keeps_what_is_retained(account: Account, cloud: Cloud) -> None:
    account.deploy(TWO.replace("AWS::S3::Bucket", "AWS::S3::Bucket\n    DeletionPolicy: Retain"))
    bucket = account.physical("Bucket")
    stack_id = account.stack()["StackId"]
    assert account.delete() == "DELETE_COMPLETE"
    assert list(cloud.things) == [bucket]
    assert account.events(stack_id)[-4:] == [
        "Setting DELETE_IN_PROGRESS",
        "Setting DELETE_COMPLETE",
        "Bucket DELETE_SKIPPED",
        "demo DELETE_COMPLETE",
    ]


def test_a_resource_that_cannot_be_deleted_fails_the_stack_until_it_can(
    account: Account, cloud: Cloud
) -> None:
    account.deploy(TWO)
    cloud.failing["DeleteBucket"] = ServiceError(
        "BucketNotEmpty", "The bucket you tried to delete is not empty"
    )
    assert account.delete() == "DELETE_FAILED"
    assert "not empty" in account.reason("Bucket", "DELETE_FAILED")
    cloud.failing.clear()
    assert account.delete() == "DELETE_COMPLETE"
    assert cloud.operations().count("DeleteParameter") == 1


def test_termination_protection_refuses_deletion(account: Account) -> None:
    account.deploy(TWO)
    account.api.update_termination_protection({"StackName": "demo", "EnableTerminationProtection": True})
    with pytest.raises(Exception, match="cannot be deleted while TerminationProtection is enabled"):
        account.api.delete_stack({"StackName": "demo"})


def test_a_removed_resource_is_deleted_after_the_update(account: Account, cloud: Cloud) -> None:
    account.deploy(TWO)
    alone = TWO.replace(TWO[TWO.index("  Setting") : TWO.index("Outputs")], "")
    assert account.deploy(alone) == "UPDATE_COMPLETE"
    assert "/demo/bucket" not in cloud.things
    order = account.events()
    assert order.index("demo UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") < order.index("Setting DELETE_COMPLETE")


class Killed(BaseException):
    """The daemon dies here: nothing more of it runs."""


@pytest.mark.parametrize("moment", range(4))
def test_a_killed_create_goes_on_at_the_next_start(cloud: Cloud, moment: int) -> None:
    """Killed before or after either call took effect: the restarted engine ends in the same place."""
    first = Account(cloud)
    made = first.change_set(TWO)
    _kill_at(cloud, moment)
    stack, change_set = first.api._change_set({"ChangeSetName": made["ChangeSetId"]})
    _crash(first, change_set["ChangeSetId"])
    assert stack.status == "CREATE_IN_PROGRESS"
    _heal(cloud)
    second = Account(cloud)
    second.api.start()
    second.api.wait("demo")
    assert second.status() == "CREATE_COMPLETE"
    assert cloud.things["/demo/bucket"]["Value"] == f"{second.physical('Bucket')}:one"
    assert len(cloud.things) == 2


@pytest.mark.parametrize("moment", range(4))
def test_a_killed_update_goes_on_at_the_next_start(cloud: Cloud, moment: int) -> None:
    first = Account(cloud)
    first.deploy(TWO)
    named = TWO.replace("AWS::S3::Bucket", "AWS::S3::Bucket\n    Properties: {BucketName: fresh-bucket}")
    made = first.change_set(named)
    _kill_at(cloud, moment)
    _crash(first, made["ChangeSetId"])
    _heal(cloud)
    second = Account(cloud)
    second.api.start()
    second.api.wait("demo")
    assert second.status() == "UPDATE_COMPLETE"
    assert set(cloud.things) == {"fresh-bucket", "/demo/bucket"}
    assert cloud.things["/demo/bucket"]["Value"] == "fresh-bucket:one"


@pytest.mark.parametrize("moment", range(2, 10))
def test_a_killed_rollback_goes_on_at_the_next_start(cloud: Cloud, moment: int) -> None:
    """The update fails at its last resource; killed anywhere, it still ends as it was before."""
    first = Account(cloud)
    first.deploy(TWO)
    old = first.physical("Bucket")
    body = TWO.replace("AWS::S3::Bucket", "AWS::S3::Bucket\n    Properties: {BucketName: fresh-bucket}")
    body = body.replace("Outputs:", "  Last: {Type: AWS::SNS::Topic, DependsOn: Setting}\nOutputs:")
    made = first.change_set(body)
    cloud.failing["CreateTopic"] = ServiceError("AuthorizationError", "no")
    _kill_at(cloud, moment)
    first.api._spawn = lambda stack: first.api._engine.proceed(stack)  # type: ignore[method-assign]
    with contextlib.suppress(Killed):
        first.api.execute_change_set({"ChangeSetName": made["ChangeSetId"]})
    _heal(cloud)
    second = Account(cloud)
    second.api.start()
    second.api.wait("demo")
    assert second.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert set(cloud.things) == {old, "/demo/bucket"}
    assert cloud.things["/demo/bucket"]["Value"] == f"{old}:one"


@pytest.mark.parametrize("moment", range(4))
def test_a_killed_deletion_goes_on_at_the_next_start(cloud: Cloud, moment: int) -> None:
    first = Account(cloud)
    first.deploy(TWO)
    stack_id = first.stack()["StackId"]
    _kill_at(cloud, moment)
    first.api._spawn = lambda stack: first.api._engine.proceed(stack)  # type: ignore[method-assign]
    with pytest.raises(Killed):
        first.api.delete_stack({"StackName": "demo"})
    _heal(cloud)
    second = Account(cloud)
    second.api.start()
    second.api.wait(stack_id)
    assert second.status(stack_id) == "DELETE_COMPLETE"
    assert cloud.things == {}


def test_a_stop_leaves_a_waiting_resource_to_the_next_start(cloud: Cloud) -> None:
    """The database is still starting when the daemon goes down: the operation waits with it."""
    body = """
Resources:
  Db:
    Type: AWS::RDS::DBInstance
    Properties: {Engine: mysql, DBInstanceClass: db.t4g.micro, AllocatedStorage: '20'}
"""
    first = Account(cloud)
    made = first.change_set(body)
    cloud.starting = True
    first.api.execute_change_set({"ChangeSetName": made["ChangeSetId"]})
    first.api.stop()
    first.api.wait("demo")
    assert first.status() == "CREATE_IN_PROGRESS"
    cloud.starting = False
    second = Account(cloud)
    second.api.start()
    second.api.wait("demo")
    assert second.status() == "CREATE_COMPLETE"
    assert len(cloud.things) == 1


def _kill_at(cloud: Cloud, moment: int) -> None:
    """Kill around the n-th half call: even moments before the call takes effect, odd ones after."""
    state = {"half": 0}
    original = type(cloud).call

    def dying(service: str, operation: str, **params: object) -> dict[str, object]:
        if state["half"] == moment:
            raise Killed
        answer = original(cloud, service, operation, **params)
        state["half"] += 1
        if state["half"] == moment:
            raise Killed
        state["half"] += 1
        return answer

    cloud.call = dying  # type: ignore[method-assign]


def _heal(cloud: Cloud) -> None:
    del cloud.call


def _crash(account: Account, change_set_id: str) -> None:
    """Run the operation in this thread, so that the kill ends it at once."""
    account.api._spawn = lambda stack: account.api._engine.proceed(stack)  # type: ignore[method-assign]
    with pytest.raises(Killed):
        account.api.execute_change_set({"ChangeSetName": change_set_id})
