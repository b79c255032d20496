"""What waits for what is read from the templates; what is independent runs side by side."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medallion_cli.aws.cloudformation import Change, StackEvent
from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.events import Failed, Noted
from medallion_cli.operations.deployment.conditions import made
from medallion_cli.operations.deployment.durations import Durations, Forecast
from medallion_cli.operations.deployment.follow import Steps, Waiting, alone, side_by_side
from medallion_cli.operations.deployment.graph import Graph, givers, longest, resource_graph, stack_graph
from medallion_cli.operations.package import LARGEST_BODY, Package
from medallion_cli.settings import Settings

GIVES = "Resources: {}\nOutputs: {ArtifactsBucket: {Value: x}, KeyArn: {Value: y}}\n"
TAKES = "Parameters: {KeyArn: {Type: String}}\nResources: {}\nOutputs: {Topic: {Value: z}}\n"


def test_a_stack_waits_for_those_whose_outputs_it_takes() -> None:
    code = "Parameters: {CodeBucket: {Type: String}, Prefix: {Type: String}}\nResources: {}\n"
    graph = stack_graph({"code": code, "takes": TAKES, "gives": GIVES})
    assert graph == {"code": {"gives"}, "takes": {"gives"}, "gives": frozenset()}
    assert givers({"code": code, "gives": GIVES}, "code") == {"CodeBucket": "gives"}


def test_a_long_template_waits_for_the_bucket_it_is_read_from() -> None:
    long = "Resources: {}\n" + "#" * LARGEST_BODY
    assert stack_graph({"long": long, "gives": GIVES})["long"] == {"gives"}


def test_stacks_that_wait_for_each_other_are_told() -> None:
    back = "Parameters: {Topic: {Type: String}}\nResources: {}\nOutputs: {KeyArn: {Value: y}}\n"
    with pytest.raises(UsageError, match=r"wait for each other: \w+ → \w+ → \w+"):
        stack_graph({"takes": TAKES, "back": back})


def test_the_shipped_stacks_are_three_deep_where_they_can(built: Package) -> None:
    graph = stack_graph(built.templates)
    assert graph["network"] == graph["storage"] == frozenset()
    assert graph["transform"] == {"storage"}
    assert "source" not in graph["warehouse"]
    assert graph["replication"] >= {"network", "storage", "source"}


def test_resources_wait_for_what_they_refer_to() -> None:
    body = """
Resources:
  A: {Type: T}
  B: {Type: T, DependsOn: A}
  C: {Type: T, Properties: {X: !GetAtt B.Arn, Y: !Ref Parameter}}
  D: {Type: T, Properties: {X: !Sub "${A}-${B.Name}-${AWS::Region}", Y: [!Ref C]}, DependsOn: [C]}
"""
    assert resource_graph(body) == {"A": frozenset(), "B": {"A"}, "C": {"B"}, "D": {"A", "B", "C"}}


def test_what_is_left_is_the_longest_chain() -> None:
    graph: Graph = {"a": frozenset(), "b": frozenset({"a"}), "c": frozenset({"a"}), "d": frozenset()}
    assert longest(graph, {"a": 5.0, "b": 1.0, "c": 7.0, "d": 11.0}) == 12.0
    assert longest(graph, {}) == 0.0


@pytest.mark.parametrize(
    ("value", "there"), [("true", ["Always", "Wanted"]), ("false", ["Always"]), (None, ["Always", "Wanted"])]
)
def test_resources_whose_condition_does_not_hold_are_not_made(value: str | None, there: list[str]) -> None:
    body = """
Conditions:
  Switched: !Equals [!Ref Switch, "true"]
  Both: !And [!Condition Switched, !Not [!Equals [!Ref Name, ""]]]
  Either: !Or [!Condition Both, !Equals [!Ref Name, nobody]]
Resources:
  Always: {Type: T}
  Wanted: {Type: T, Condition: Either}
"""
    assert [name for name, _ in made(body, {"Switch": value, "Name": "ann"})] == there


def steps(told: list[str], name: str, waits: int = 0, error: str = "") -> Steps:
    told.append(f"{name} begins")
    for _ in range(waits):
        yield Waiting()
    if error:
        raise MedallionError(error)
    yield Noted(name)
    told.append(f"{name} ends")


def begin(told: list[str], **how: tuple[int, str]) -> Callable[[str], Steps]:
    return lambda name: steps(told, name, *how.get(name, (0, "")))


def test_independent_steps_run_side_by_side() -> None:
    graph: Graph = {"a": frozenset(), "b": frozenset(), "c": frozenset({"a"})}
    told: list[str] = []
    list(side_by_side(graph, begin(told, a=(1, ""), b=(9, "")), 0.0))
    assert told == ["a begins", "b begins", "a ends", "c begins", "c ends", "b ends"]


def test_after_a_failure_what_is_under_way_is_followed_and_nothing_is_begun() -> None:
    graph: Graph = {"a": frozenset(), "b": frozenset(), "c": frozenset({"b"}), "d": frozenset({"a"})}
    told: list[str] = []
    events = side_by_side(graph, begin(told, a=(1, "first"), b=(5, "")), 0.0)
    seen = [next(events), next(events)]
    assert seen == [Failed("a", "first"), Noted("b")]
    with pytest.raises(MedallionError, match="first"):
        next(events)
    assert told == ["a begins", "b begins", "b ends"]


def test_the_first_of_two_failures_is_raised() -> None:
    graph: Graph = {"a": frozenset(), "b": frozenset()}
    with pytest.raises(MedallionError, match="early"):
        list(side_by_side(graph, begin([], a=(5, "late"), b=(1, "early")), 0.0))


def test_alone_only_events_come_through() -> None:
    assert list(alone(steps([], "a", 2), 0.0)) == [Noted("a")]


@pytest.fixture
def durations(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Durations:
    monkeypatch.setenv("MEDALLION_CACHE_HOME", str(tmp_path))
    return Durations(settings)


def event(resource: str, status: str, second: int) -> StackEvent:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    return StackEvent(f"{resource}{second}", at, resource, "AWS::RDS::DBInstance", status, "")


def test_durations_are_typical_until_they_were_seen(durations: Durations, settings: Settings) -> None:
    assert durations.seconds("AWS::RDS::DBInstance", "CREATE") == 600.0
    durations.learn("s", [event("Db", "CREATE_IN_PROGRESS", 0), event("Db", "CREATE_COMPLETE", 432)])
    assert Durations(settings).seconds("AWS::RDS::DBInstance", "CREATE") == 432.0
    assert Durations(settings).seconds("AWS::RDS::DBInstance", "UPDATE") == 600.0


def test_a_cache_that_is_broken_is_none(durations: Durations, settings: Settings) -> None:
    durations.path.parent.mkdir(parents=True)
    durations.path.write_text("[1")
    assert Durations(settings).known == {}


def test_a_forecast_counts_what_has_begun_and_not_what_has_ended(durations: Durations) -> None:
    graph: Graph = {"Db": frozenset(), "After": frozenset({"Db"})}
    changes = [Change("s", "Add", "Db", "AWS::RDS::DBInstance", None), Change("s", "Add", "After", "X", None)]
    forecast = Forecast(graph, changes, durations)
    assert forecast.left() == 610.0
    assert forecast.left(ended={"Db"}) == 10.0
    begun = datetime.now(UTC) - timedelta(seconds=400)
    assert forecast.left(began={"Db": begun}) == pytest.approx(210.0, abs=5)
    overdue = datetime.now(UTC) - timedelta(seconds=4000)
    assert forecast.left(began={"Db": overdue}) == pytest.approx(70.0, abs=1)
