"""Deployment: order, going on after interruptions, root causes, what `down` deletes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fake_account import Account

from medallion_cli.assets import Assets
from medallion_cli.aws.cloudformation import Stacks
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Noted
from medallion_cli.operations import deploy as deployment
from medallion_cli.operations import package
from medallion_cli.settings import Guards, Settings
from medallion_cli.spec import Pipeline

Document = dict[str, Any]
PREFIX = "retail-dev"
ALL = [f"{PREFIX}-{stack}" for stack in package.STACKS]


@pytest.fixture
def account(
    settings: Settings, documents: dict[str, Document], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Account]:
    def no_bootstrap(*_: Any) -> Iterator[Event]:
        yield Noted("bootstrapped")

    def no_pause(self: Stacks, target: Any) -> None:
        self.client, self.pause = target.client("cloudformation"), 0.0

    monkeypatch.setattr(deployment, "bootstrap", no_bootstrap)
    monkeypatch.setattr(Stacks, "__init__", no_pause)
    return Account(settings, {stack: list(d["Outputs"]) for stack, d in documents.items()})


@pytest.fixture(autouse=True)
def built_once(built: package.Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "build", lambda *_: built)


def up(account: Account, pipeline: Pipeline, assets: Assets) -> list[Event]:
    return list(deployment.deploy(account, account.settings, pipeline, assets))  # type: ignore[arg-type]


def down(account: Account, delete_data: bool = False) -> list[Event]:
    return list(deployment.destroy(account, account.settings, delete_data))  # type: ignore[arg-type]


def returned(steps: Iterator[Event]) -> Any:
    """What a generator returns once it has yielded everything."""
    found = []

    def drain() -> Iterator[Event]:
        found.append((yield from steps))

    list(drain())
    return found[0]


def executed(account: Account) -> list[str]:
    return [name for what, name in account.told if what == "execute"]


def test_stacks_come_in_order_and_then_not_again(
    account: Account, pipeline: Pipeline, assets: Assets
) -> None:
    assert up(account, pipeline, assets)[-1] == Noted("bootstrapped")
    assert executed(account) == ALL
    up(account, pipeline, assets)
    assert executed(account) == ALL


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
    assert account.told[1:3] == [("delete", ALL[1]), ("execute", ALL[1])]


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
    with pytest.raises(
        MedallionError, match=r"source ROLLBACK_COMPLETE: Database .*: no such class"
    ) as raised:
        up(account, pipeline, assets)
    assert raised.value.hint == "mend it, then: medallion up"
    assert executed(account) == ALL[:3]
    account.faults.clear()
    up(account, pipeline, assets)
    assert set(account.stacks) == set(ALL)


def test_a_plan_changes_nothing(account: Account, pipeline: Pipeline, assets: Assets) -> None:
    steps = deployment.plan(account, account.settings, pipeline, assets)  # type: ignore[arg-type]
    changes = returned(steps).changes
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
