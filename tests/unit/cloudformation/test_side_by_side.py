"""Independent resources are worked on at the same time; a failure gives up what still waits."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from fake_cloud import Account, Cloud

from medallion_cli.local.cloudformation.graph import LIMIT, reversed_needs, walk
from medallion_cli.local.protocol import ServiceError

WAITING = """
Resources:
  Db:
    Type: AWS::RDS::DBInstance
    Properties: {Engine: mysql, DBInstanceClass: db.t4g.micro, AllocatedStorage: '20'}
  Other:
    Type: AWS::RDS::DBInstance
    Properties: {Engine: mysql, DBInstanceClass: db.t4g.micro, AllocatedStorage: '20'}
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /demo/setting, Type: String, Value: a}
  After:
    Type: AWS::S3::Bucket
    DependsOn: [Db, Setting]
"""


def test_a_walk_runs_everything_once_after_what_it_needs() -> None:
    needs = {f"n{i}": {f"n{j}" for j in range(i) if i % (j + 2) == 0} for i in range(60)}
    seen: list[str] = []
    assert walk(needs, lambda name: seen.append(name) is None) == needs.keys()
    assert sorted(seen) == sorted(needs)
    assert all(seen.index(other) < seen.index(name) for name, needed in needs.items() for other in needed)


def test_a_walk_holds_back_what_needs_a_failed_one_and_does_the_rest() -> None:
    needs: dict[str, set[str]] = {"a": set(), "b": {"a"}, "c": {"b"}, "d": set()}
    assert walk(needs, lambda name: name != "a") == {"d"}


def test_a_walk_is_as_wide_as_it_may_be_and_no_wider() -> None:
    running, most, lock = [0], [0], threading.Lock()
    gate = threading.Barrier(LIMIT, timeout=10)

    def act(name: str) -> bool:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait()
        with lock:
            running[0] -= 1
        return True

    assert len(walk({f"n{i}": set() for i in range(2 * LIMIT)}, act)) == 2 * LIMIT
    assert most[0] == LIMIT


def test_taking_away_turns_the_graph_around() -> None:
    needs: dict[str, set[str]] = {"bucket": set(), "policy": {"bucket"}}
    assert reversed_needs(needs) == {"bucket": {"policy"}, "policy": set()}


def test_what_a_thread_raises_is_raised_after_the_others_ended() -> None:
    ended = threading.Event()

    def act(name: str) -> bool:
        if name == "bad":
            raise KeyError("bad")
        threading.Event().wait(0.05)
        ended.set()
        return True

    with pytest.raises(KeyError):
        walk({"bad": set(), "good": set()}, act)
    assert ended.is_set()


def test_independent_resources_are_made_at_the_same_time(account: Account, cloud: Cloud) -> None:
    """Each waits until the other has begun: one after the other, neither would ever end."""
    both = threading.Barrier(2, timeout=10)

    def meet(operation: str, params: dict[str, Any]) -> None:
        if operation == "CreateDBInstance":
            both.wait()

    cloud.before = meet
    assert account.deploy(WAITING) == "CREATE_COMPLETE"
    order = account.events()
    assert order.index("Db CREATE_COMPLETE") < order.index("After CREATE_IN_PROGRESS")
    assert order.index("Other CREATE_IN_PROGRESS") < order.index("Db CREATE_COMPLETE")


def test_a_failure_cancels_what_waits_and_begins_nothing_more(account: Account, cloud: Cloud) -> None:
    cloud.starting = True  # both databases wait, for ever
    begun = threading.Barrier(3, timeout=10)

    def fail(operation: str, params: dict[str, Any]) -> None:
        if operation == "CreateDBInstance":
            threading.Thread(target=begun.wait).start()
        if operation == "PutParameter":
            begun.wait()
            raise ServiceError("ValidationException", "no such tier")

    cloud.before = fail
    assert account.deploy(WAITING) == "ROLLBACK_COMPLETE"
    assert account.reason("Db", "CREATE_FAILED") == "Resource creation cancelled"
    assert account.reason("Other", "CREATE_FAILED") == "Resource creation cancelled"
    assert "no such tier" in account.reason("Setting", "CREATE_FAILED")
    assert not any(event.startswith("After") for event in account.events())
    reason = account.reason("demo", "ROLLBACK_IN_PROGRESS")
    assert reason.startswith("The following resource(s) failed to create: [Setting, ")
    assert reason.endswith("]. Rollback requested by user.")
    assert cloud.things == {}


def test_without_rollback_independent_resources_are_still_made(account: Account, cloud: Cloud) -> None:
    cloud.failing["PutParameter"] = ServiceError("ValidationException", "no")
    made = account.change_set(WAITING)
    account.api.execute_change_set({"ChangeSetName": made["ChangeSetId"], "DisableRollback": True})
    account.api.wait("demo")
    assert account.status() == "CREATE_FAILED"
    assert {"Db CREATE_COMPLETE", "Other CREATE_COMPLETE"} <= set(account.events())
    cloud.failing.clear()
    assert account.deploy(WAITING, kind="UPDATE") == "UPDATE_COMPLETE"
    assert account.events()[-1] == "demo UPDATE_COMPLETE"
    assert len(cloud.things) == 4


def test_a_failed_update_cancels_the_updates_that_wait(account: Account, cloud: Cloud) -> None:
    account.deploy(WAITING)
    grown = WAITING.replace("'20'", "'30'").replace("Value: a", "Value: b")
    begun = threading.Barrier(3, timeout=10)

    def fail(operation: str, params: dict[str, Any]) -> None:
        if operation == "ModifyDBInstance" and params.get("AllocatedStorage") == 30:
            threading.Thread(target=begun.wait).start()
            cloud.starting = True
        elif operation == "PutParameter" and params["Value"] == "b":
            begun.wait()
            raise ServiceError("ValidationException", "no")
        elif operation == "ModifyDBInstance":
            cloud.starting = False

    cloud.before = fail
    assert account.deploy(grown) == "UPDATE_ROLLBACK_COMPLETE"
    assert account.reason("Db", "UPDATE_FAILED") == "Resource update cancelled"
    assert cloud.things["/demo/setting"]["Value"] == "a"
