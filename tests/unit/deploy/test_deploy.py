"""Deployment: order, going on after interruptions, root causes, what `down` deletes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_account import Account

from medallion_cli.assets import Assets
from medallion_cli.aws.cloudformation import Stacks
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Noted, Started
from medallion_cli.operations import package, teardown
from medallion_cli.operations.deployment import apply, change_sets, code
from medallion_cli.operations.deployment import plan as plans
from medallion_cli.operations.deployment.graph import stack_graph
from medallion_cli.settings import Guards, Settings
from medallion_cli.spec import Pipeline

Document = dict[str, Any]
PREFIX = "retail-dev"
ALL = [f"{PREFIX}-{stack}" for stack in package.STACKS]


@pytest.fixture
def account(
    settings: Settings, documents: dict[str, Document], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Account]:
    def no_bootstrap(*_: Any) -> Iterator[Event]:
        yield Noted("bootstrapped")

    def no_code(*_: Any) -> Iterator[Event]:
        yield from ()

    def no_pause(self: Stacks, target: Any) -> None:
        self.client, self.pause = target.client("cloudformation"), 0.0

    monkeypatch.setenv("MEDALLION_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(apply, "bootstrap", no_bootstrap)
    monkeypatch.setattr(code, "bring", no_code)
    monkeypatch.setattr(code, "stale", lambda *_: {})
    monkeypatch.setattr(Stacks, "__init__", no_pause)
    return Account(settings, {stack: list(d["Outputs"]) for stack, d in documents.items()})


@pytest.fixture(autouse=True)
def built_once(built: package.Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_sets, "build", lambda *_: built)


def up(account: Account, pipeline: Pipeline, assets: Assets) -> list[Event]:
    return list(apply.deploy(account, account.settings, pipeline, assets))  # type: ignore[arg-type]


def down(account: Account, delete_data: bool = False) -> list[Event]:
    return list(teardown.destroy(account, account.settings, delete_data))  # type: ignore[arg-type]


def returned(steps: Iterator[Event]) -> Any:
    """What a generator returns once it has yielded everything."""
    found = []

    def drain() -> Iterator[Event]:
        found.append((yield from steps))

    list(drain())
    return found[0]


def executed(account: Account) -> list[str]:
    return [name for what, name in account.told if what == "execute"]


def test_stacks_come_after_those_they_wait_for_and_then_not_again(
    account: Account, built: package.Package, pipeline: Pipeline, assets: Assets
) -> None:
    assert up(account, pipeline, assets)[-1] == Noted("bootstrapped")
    order = [name.removeprefix(f"{PREFIX}-") for name in executed(account)]
    assert sorted(order) == sorted(package.STACKS)
    for stack, others in stack_graph(built.templates).items():
        assert all(order.index(other) < order.index(stack) for other in others)
    account.told.clear()
    up(account, pipeline, assets)
    assert account.told == []


def test_independent_stacks_are_under_way_at_the_same_time(
    account: Account, pipeline: Pipeline, assets: Assets
) -> None:
    account.looks = 5
    events = [e for e in up(account, pipeline, assets) if isinstance(e, Started | Finished) and not e.within]
    network, storage = Started(ALL[0]), Started(ALL[1])
    assert events.index(storage) < events.index(Finished(ALL[0], "1 changes"))
    assert events.index(network) < events.index(Finished(ALL[1], "1 changes"))


def test_outputs_become_later_stacks_parameters(account: Account, pipeline: Pipeline, assets: Assets) -> None:
    up(account, pipeline, assets)
    assert account.stacks[f"{PREFIX}-source"]["given"]["CodeBucket"] == "ArtifactsBucket-value"
    assert (
        account.stacks[f"{PREFIX}-orchestration"]["given"]["BronzeToSilverJob"] == "BronzeToSilverJob-value"
    )


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED"])
def test_a_stack_that_never_came_to_be_is_made_again(
    account: Account, pipeline: Pipeline, assets: Assets, status: str
) -> None:
    account.put(ALL[1], status)
    up(account, pipeline, assets)
    assert [what for what, name in account.told if name == ALL[1]] == ["delete", "execute"]


def test_a_stack_that_is_under_way_is_waited_for(
    account: Account, pipeline: Pipeline, assets: Assets
) -> None:
    up(account, pipeline, assets)
    account.stacks[ALL[2]].update(status="UPDATE_IN_PROGRESS", then="UPDATE_COMPLETE", looks=3)
    account.told.clear()
    assert Noted(f"{ALL[2]} is UPDATE_IN_PROGRESS: waiting") in up(account, pipeline, assets)
    assert account.told == []


def test_a_failed_rollback_goes_on(account: Account, pipeline: Pipeline, assets: Assets) -> None:
    up(account, pipeline, assets)
    account.stacks[ALL[3]]["status"] = "UPDATE_ROLLBACK_FAILED"
    account.told.clear()
    up(account, pipeline, assets)
    assert account.told == [("continue", ALL[3])]


def test_the_oldest_failure_that_is_no_consequence_is_told(
    account: Account, pipeline: Pipeline, assets: Assets
) -> None:
    account.faults[ALL[2]] = [
        ("Secret", "CREATE_FAILED", "Resource creation cancelled"),
        ("Database", "CREATE_FAILED", "no such class"),
        ("Function", "CREATE_FAILED", "role is missing"),
        (ALL[2], "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Database, Function]."),
    ]
    with pytest.raises(MedallionError) as raised:
        up(account, pipeline, assets)
    assert str(raised.value) == (
        f"{ALL[2]}: Database (AWS::Some::Thing) could not be created: no such class [ROLLBACK_COMPLETE]; "
        "also Function (AWS::Some::Thing) could not be created: role is missing"
    )
    assert raised.value.hint == "mend it, then: medallion up"
    assert f"{PREFIX}-replication" not in executed(account)
    account.faults.clear()
    up(account, pipeline, assets)
    assert set(account.stacks) == set(ALL)


def test_a_plan_changes_nothing(
    account: Account, pipeline: Pipeline, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = plans.plan(account, account.settings, pipeline, assets)  # type: ignore[arg-type]
    monkeypatch.setattr(plans, "preflight", lambda _: [])
    found = returned(steps)
    changes = found.changes
    assert found.is_new
    assert {change.stack for change in changes} == set(ALL)
    assert all(change.action == "Add" for change in changes)
    assert (account.told, account.stacks, account.change_sets) == ([], {}, {})


def test_protection_follows_the_settings(account: Account, pipeline: Pipeline, assets: Assets) -> None:
    plain = account.settings
    account.settings = plain.model_copy(update={"guards": Guards(termination_protection=True)})
    up(account, pipeline, assets)
    assert all(stack["protected"] for stack in account.stacks.values())
    with pytest.raises(MedallionError, match="is protected"):
        down(account)
    account.settings = plain
    up(account, pipeline, assets)
    assert not any(stack["protected"] for stack in account.stacks.values())


def test_down_goes_in_reverse_and_keeps_data(account: Account, pipeline: Pipeline, assets: Assets) -> None:
    up(account, pipeline, assets)
    account.told.clear()
    down(account)
    assert account.told == [("delete", name) for name in reversed(ALL)]


def test_data_goes_last_while_its_names_are_still_known(
    account: Account, pipeline: Pipeline, assets: Assets
) -> None:
    up(account, pipeline, assets)
    account.told.clear()
    down(account, delete_data=True)
    told = [what if what != "delete" else name for what, name in account.told]
    assert told[-7:] == [ALL[2], *["delete bucket"] * 4, "delete key", ALL[1], ALL[0]][-7:]
    assert account.stacks == {}


def test_a_template_too_long_to_send_goes_by_url(
    account: Account, built: package.Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    account.services["s3"].put_object = lambda **given: sent.append(given["Key"])
    long = "#" * (package.LARGEST_BODY + 1)
    url = package.template_url(account, "bucket", "orchestration", long)  # type: ignore[arg-type]
    assert url == f"https://bucket.s3.eu-central-1.amazonaws.com/{sent[0]}"
    short = package.template_url(account, "bucket", "orchestration", "a: b")  # type: ignore[arg-type]
    assert short is None
