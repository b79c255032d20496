"""`down`: in reverse order, data only when it may go, what stays is told, any interruption goes on."""

from __future__ import annotations

import contextlib
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from clock import Clock, stopped
from fake_stacks import BUCKETS, Stacked

from medallion_cli.assets import Assets
from medallion_cli.cli import main
from medallion_cli.commands import lifecycle
from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.events import Event
from medallion_cli.operations import pause as pausing
from medallion_cli.operations import replicate, source_database, teardown
from medallion_cli.operations.deployment import follow
from medallion_cli.operations.package import STACKS
from medallion_cli.operations.prices import load_prices
from medallion_cli.settings import Guards, Settings


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped(monkeypatch, replicate, source_database, pausing, follow)


@pytest.fixture
def stacked() -> Stacked:
    return Stacked()


def down(environment: Stacked, delete_data: bool = False) -> list[Event]:
    target: Any = environment
    return list(teardown.destroy(target, target.settings, delete_data))


def left(environment: Stacked, assets: Assets) -> dict[str, float | None]:
    target: Any = environment
    region = load_prices(assets).regions["eu-central-1"]
    return {x.name: x.month for x in teardown.remaining(target, target.settings, region)}


def test_stacks_go_in_reverse_and_what_stays_is_told_with_its_cost(stacked: Stacked, assets: Assets) -> None:
    down(stacked)
    assert stacked.told == [f"shop-{stack}" for stack in reversed(STACKS)]
    found = left(stacked, assets)
    assert {name: found[name] for name in BUCKETS} == dict.fromkeys(BUCKETS, 0.02)
    assert found["shop-source-snapshot"] == pytest.approx(20 * 0.137)
    assert sorted(found.values(), key=str) == sorted([0.02] * 4 + [1.0, 2.74, 0.08], key=str)


def test_replication_is_stopped_first(stacked: Stacked) -> None:
    down(stacked)
    assert stacked.asked.index("stop_replication_task") < stacked.asked.index("delete_stack")


def test_data_goes_only_when_asked_and_before_its_stack(stacked: Stacked, assets: Assets) -> None:
    down(stacked, delete_data=True)
    assert stacked.told[-6:-2] == list(BUCKETS)
    assert stacked.key_deleted
    assert left(stacked, assets) == {}


def test_data_that_an_earlier_down_kept_can_go_later(stacked: Stacked, assets: Assets) -> None:
    down(stacked)
    down(stacked, delete_data=True)
    assert left(stacked, assets) == {}
    assert stacked.key_deleted


def test_a_paused_database_is_started_for_its_final_snapshot(stacked: Stacked) -> None:
    target: Any = stacked
    found = {key: value for stack in teardown.outputs(target).items() for key, value in [stack]}
    list(pausing.pause(target, found, target.settings))
    assert stacked.database == "stopped"
    down(stacked)
    assert stacked.snapshots == {"shop-source-snapshot": 20}
    assert "/shop/applied/paused" not in stacked.parameters


@pytest.mark.parametrize(
    "call", ["_delete_stack", "_delete_bucket", "_delete_objects", "_delete_db_snapshot"]
)
@pytest.mark.parametrize("at", [0, 1, 3])
def test_whatever_is_interrupted_the_same_command_goes_on(
    stacked: Stacked, assets: Assets, monkeypatch: pytest.MonkeyPatch, call: str, at: int
) -> None:
    kept, seen = getattr(stacked, call), [0]

    def interrupted(given: Any) -> Any:
        seen[0] += 1
        if seen[0] == at + 1:
            kept(given)
            raise KeyboardInterrupt
        return kept(given)

    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(stacked, call, interrupted)
        down(stacked, delete_data=True)
    down(stacked, delete_data=True)
    assert stacked.stacks == {}
    assert left(stacked, assets) == {}


def test_a_protected_environment_says_what_to_change(stacked: Stacked) -> None:
    guards = Guards(termination_protection=True)
    stacked.settings = stacked.settings.model_copy(update={"guards": guards, "env": "prod"})
    with pytest.raises(MedallionError, match=r"guards.termination_protection in configs/prod.yaml"):
        down(stacked)
    assert stacked.told == []


def test_stacks_that_are_still_protected_say_that_up_comes_first(stacked: Stacked) -> None:
    stacked.stacks["shop-storage"]["EnableTerminationProtection"] = True
    with pytest.raises(MedallionError, match="shop-storage is still protected") as told:
        down(stacked)
    assert told.value.hint is not None
    assert told.value.hint.startswith("medallion up")
    assert stacked.told == []


def agreed(typed: str | None, *, yes: bool = False, confirm: str | None = None, guard: bool = True) -> None:
    """Raises what the command would."""
    settings = Settings(env="prod", prefix="shop-prod", guards=Guards(typed_confirmation=guard))
    stdin = SimpleNamespace(isatty=lambda: typed is not None)
    call: Any = SimpleNamespace(settings=settings, terminal=SimpleNamespace(say=lambda *_: None))
    call.confirm = lambda question, given: None
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdin", stdin)
        patched.setattr(lifecycle.typer, "prompt", lambda *_, **__: typed)
        lifecycle._agree(call, "Take it down?", yes, confirm)


def test_typing_the_prefix_agrees() -> None:
    agreed("shop-prod")
    agreed(None, confirm="shop-prod")
    agreed(None, yes=True, guard=False)


@pytest.mark.parametrize(
    ("typed", "yes", "confirm"),
    [
        ("shop", False, None),
        ("", True, None),
        (None, True, None),
        (None, False, None),
        (None, True, "shop-dev"),
    ],
)
def test_nothing_else_does(typed: str | None, yes: bool, confirm: str | None) -> None:
    with pytest.raises(UsageError):
        agreed(typed, yes=yes, confirm=confirm)


def test_prod_refuses_at_once_and_without_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--env", "prod", "down", "--yes"])
    assert ended.value.code == 1
    assert "guards.termination_protection in configs/prod.yaml" in capsys.readouterr().err
