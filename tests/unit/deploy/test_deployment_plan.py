"""A plan without credentials: everything the project says, no call to anywhere; with them, replacements stand out."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medallion_cli.aws.cloudformation import Change
from medallion_cli.aws.session import Target
from medallion_cli.cli import main
from medallion_cli.commands import plans as drawing
from medallion_cli.console import Terminal
from medallion_cli.operations import package
from medallion_cli.operations.deployment import code
from medallion_cli.operations.deployment import plan as plans
from medallion_cli.operations.deployment.change_sets import Deployment
from medallion_cli.operations.deployment.graph import stack_graph
from medallion_cli.operations.migrations import EMPTIED
from medallion_cli.operations.package import Package
from medallion_cli.settings import Settings
from medallion_cli.spec import Pipeline


class Unreachable:
    """A network that counts the attempts to reach it."""

    def __init__(self) -> None:
        self.attempts: list[tuple[Any, ...]] = []

    def __call__(self, *given: Any, **_: Any) -> Any:
        self.attempts.append(given)
        raise OSError("no network here")


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No credentials anywhere; opening a socket fails the test, even where somebody catches the error."""
    network = Unreachable()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for owner, name in ((socket.socket, "connect"), (socket, "create_connection"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, network, raising=False)
    yield
    assert network.attempts == []


def ran(words: list[str]) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


@pytest.mark.parametrize("env", ["dev", "prod"])
@pytest.mark.usefixtures("nobody")
def test_a_plan_needs_no_credentials_and_no_network(env: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(["--env", env, "plan"]) == 0
    shown = capsys.readouterr()
    for text in (
        f"retail-{env}-network: infra_templates/network.yaml",
        "AWS::RDS::DBInstance",
        "DatabaseClass",
    ):
        assert text in shown.out
    assert "from network" in shown.out
    assert "USD a month idle" in shown.out
    for text in ("no credentials", "which stacks exist", "quotas", "QuickSight subscription"):
        assert text in shown.err


@pytest.mark.usefixtures("nobody")
def test_the_document_has_every_stack_with_resources_and_parameters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ran(["--env", "prod", "plan", "--output", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seen"] is False
    stacks = {stack["name"]: stack for stack in found["stacks"]}
    assert stacks["retail-prod-source"]["parameters"]["MultiAZ"] == "true"
    assert ["Database", "AWS::RDS::DBInstance"] in stacks["retail-prod-source"]["resources"]
    waits = stacks["retail-prod-observability"]["waits_for"]
    assert set(waits) >= {"source", "replication", "orchestration"}
    assert waits == [name for name in package.STACKS if name in waits]
    assert found["cost"]["currency"] == "USD"
    assert {line["type"] for line in found["cost"]["lines"]} >= {
        "AWS::RDS::DBInstance",
        "AWS::EC2::VPCEndpoint",
    }
    assert {finding["severity"] for finding in found["findings"]} >= {"unseen"}


@pytest.mark.usefixtures("nobody")
def test_credentials_that_are_configured_are_found_without_a_call(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not Target(settings).has_credentials()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert Target(settings).has_credentials()


def test_resources_that_a_condition_keeps_out_are_not_planned(
    settings: Settings, pipeline: Pipeline, assets: Any
) -> None:
    found = plans.plan_unseen(settings, pipeline, assets)
    assert found.is_new
    planned = {change.type for change in found.changes}
    assert "AWS::QuickSight::Dashboard" not in planned
    with_user = settings.model_copy(
        update={"parameters": settings.parameters | {"QuickSightPrincipalArn": "arn:x"}}
    )
    planned = {change.type for change in plans.plan_unseen(with_user, pipeline, assets).changes}
    assert "AWS::QuickSight::Dashboard" in planned


def change(
    resource: str, type_: str, replacement: str | None = "False", action: str = "Modify", **more: Any
) -> Change:
    return Change("retail-dev-source", action, resource, type_, replacement, **more)


LOSSES = [
    change("Database", "AWS::RDS::DBInstance", "True"),
    change("BronzeBucket", "AWS::S3::Bucket", None, "Remove"),
]
HARMLESS = [
    change("Database", "AWS::RDS::DBInstance"),
    change("Role", "AWS::IAM::Role", "True"),
    change("Database", "AWS::RDS::DBInstance", None, "Add"),
]


def planned(*changes: Change, live: tuple[Change, ...] = ()) -> plans.DeployPlan:
    stack = plans.StackPlan("retail-dev-source", "infra_templates/source.yaml", [], [], {}, list(changes))
    return plans.DeployPlan([stack], [], live=list(live))


def test_what_loses_data_is_known_and_shouted(capsys: pytest.CaptureFixture[str]) -> None:
    plan = planned(*LOSSES, *HARMLESS)
    assert [change for change, _ in plan.losses] == LOSSES

    class Call:
        terminal = Terminal()

    drawing.show(Call(), plan)  # type: ignore[arg-type]
    shown = capsys.readouterr()
    assert "Database (AWS::RDS::DBInstance) WOULD BE REPLACED: the source's rows would be gone" in shown.err
    assert "BronzeBucket (AWS::S3::Bucket) WOULD BE REMOVED" in shown.err
    assert shown.out.count("REPLACED") == 2


def test_a_gold_table_that_is_replaced_by_an_empty_one_is_shouted_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = ["gold: dim_a: changed key (its rows are evaluated anew)" + EMPTIED, "gold: dim_b: new column"]
    plan = plans.DeployPlan([], [], told)

    class Call:
        terminal = Terminal()

    drawing.show(Call(), plan)  # type: ignore[arg-type]
    assert "!!! gold: dim_a: changed key" in (shown := capsys.readouterr().err)
    assert "WOULD BE REPLACED: no rows until the next run" in shown
    assert "dim_b" not in shown
    assert drawing.document(plan)["emptied"] == ["gold: dim_a: changed key (its rows are evaluated anew)"]


@pytest.mark.parametrize(
    ("stale", "pending", "live"),
    [
        ({"job-1": False}, [], ["Job"]),  # `--only scripts` did it
        ({"job-1": True}, ["Job"], []),  # still to be done by the stack
    ],
)
def test_what_only_has_done_is_no_pending_change(
    settings: Settings,
    built: Package,
    monkeypatch: pytest.MonkeyPatch,
    stale: dict[str, bool],
    pending: list[str],
    live: list[str],
) -> None:
    job = Change(
        "retail-dev-transform",
        "Modify",
        "Job",
        "AWS::Glue::Job",
        "False",
        ("Command",),
        ("SharedCodeKey",),
        "job-1",
    )
    assert told(settings, built, monkeypatch, stale, [job]) == (pending, live)


def test_a_change_that_is_more_than_code_stays_pending(
    settings: Settings, built: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Change(
        "retail-dev-transform",
        "Modify",
        "Job",
        "AWS::Glue::Job",
        "False",
        ("Timeout",),
        ("JobTimeoutMinutes",),
        "job-1",
    )
    assert told(settings, built, monkeypatch, {"job-1": False}, [job]) == (["Job"], [])


def test_code_that_no_stack_tells_apart_is_pending(
    settings: Settings, built: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--only` brought newer code, and the project went back to what the stack was made with."""
    assert told(settings, built, monkeypatch, {"job-1": True}, []) == (["job-1"], [])


def told(
    settings: Settings,
    built: Package,
    monkeypatch: pytest.MonkeyPatch,
    stale: dict[str, bool],
    changes: list[Change],
) -> tuple[list[str], list[str]]:
    monkeypatch.setattr(code, "stale", lambda *_: stale)
    nothing: Any = None
    deployment = Deployment(nothing, settings, built, nothing, stack_graph(built.templates))
    entries = {stack: changes if stack == "transform" else [] for stack in built.templates}
    pending, live = plans._without_live(deployment, {"BronzeToSilverJob": "job-1"}, entries)
    return [c.resource for entry in pending.values() for c in entry], [c.resource for c in live]
