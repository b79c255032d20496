"""What failures are called, what a log's cause is, how a run moves on, and screens that keep to their width."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from rich.console import ConsoleDimensions
from rich.text import Text

from medallion_cli.assets import Assets
from medallion_cli.aws.logs import Line
from medallion_cli.aws.orchestration import Execution, Span, StateMachine
from medallion_cli.aws.replication import LOADED, TableStatistics
from medallion_cli.cli import main
from medallion_cli.commands import health, local
from medallion_cli.commands.context import Invocation
from medallion_cli.commands.screens import finding_lines, frame_lines, gantt, status_lines
from medallion_cli.console import Terminal
from medallion_cli.events import Finished
from medallion_cli.operations import logs, progress, replicate, runs
from medallion_cli.operations import status as of_environment
from medallion_cli.operations.doctor.catalogue import finding
from medallion_cli.operations.doctor.causes import code_of_error
from medallion_cli.operations.doctor.look import Look
from medallion_cli.operations.run import newest_runs
from medallion_cli.operations.runs import Stage
from medallion_cli.operations.status import Engine, Status

ERRORS = {
    "run-20260101T000000Z-abcd failed: parts: parts: 1 row(s) break 'small'": "MED-SIL-002",
    "run-20260101T000000Z-abcd failed: Unmatched number of columns between table and file.": "MED-GLD-002",
    "the environment shop-local is paused since 2026-01-01": "MED-ENV-008",
    "[Errno 28] No space left on device": "MED-ENV-004",
    "An error occurred (ExpiredToken) when calling GetCallerIdentity": "MED-ENV-001",
    "the source database shop-source is stopped": "MED-SRC-001",
    "replication is stopped: nothing brings changes": "MED-DMS-030",
    "replication of parts: Table error": "MED-DMS-034",
    "run-20260101T000000Z-abcd failed: orders: schema drift at the source: a added (int)": "MED-SIL-010",
    "run-20260101T000000Z-abcd failed: canceling statement due to lock timeout": "MED-GLD-004",
    "run-20260101T000000Z-abcd aborted": "MED-RUN-002",
    "run-20260101T000000Z-abcd failed: boom": "MED-RUN-001",
    "MED-VER-001 names itself": None,
    "no model 'x'": None,
}
OUTPUT = (
    "orders: taken, read 1000 in 4.0 s",
    "noise",
    "brands: taken, read 0 in 0.2 s",
    "orders: appended, read 1000, live 990",
)


@pytest.mark.parametrize("text", ERRORS)
def test_an_error_has_the_code_of_its_cause(text: str) -> None:
    assert code_of_error(text) == ERRORS[text]


def test_the_innermost_exception_is_told_first_and_once() -> None:
    texts = [
        "26/01/01 ERROR Executor: in stage 1\norg.apache.spark.SparkException: Job aborted\n\tat a.b(C.java:1)",
        "Caused by: java.io.IOException: No space left on device\n\tat d.e(F.java:2)",
        "Caused by: java.io.IOException: No space left on device",
    ]
    assert logs.exceptions(iter(texts)) == [
        "java.io.IOException: No space left on device",
        "org.apache.spark.SparkException: Job aborted",
    ]


class Executions:
    """Step Functions: a run that failed, one that the schedule started meanwhile, and one in flight."""

    def __init__(self) -> None:
        told = {"c": ("RUNNING", 40, None), "b": ("SUCCEEDED", 15, '{"status": "skipped"}'),
                "a": ("FAILED", 0, None), "z": ("SUCCEEDED", -60, '{"status": "succeeded"}')}  # fmt: skip
        at = datetime(2026, 1, 1, tzinfo=UTC)
        self.told = {}
        for name, (ended_as, minutes, output) in told.items():
            began = at + timedelta(minutes=minutes)
            ended = (
                {} if ended_as == "RUNNING" else {"stopDate": began + timedelta(minutes=1 if output else 30)}
            )
            self.told[name] = {"executionArn": name, "name": f"run-{name}", "status": ended_as, "startDate": began,
                               **ended, **({"output": output} if output else {})}  # fmt: skip

    def list_executions(self, **_: Any) -> dict[str, Any]:
        return {"executions": [{k: v for k, v in e.items() if k != "output"} for e in self.told.values()]}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:
        return self.told[executionArn]

    def get_paginator(self, _: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [{"events": []}])


def test_a_run_that_gave_way_hides_no_failure() -> None:
    aws = Executions()
    del aws.told["c"]
    target: Any = SimpleNamespace(client=lambda _: aws)
    found = logs.failed(target, {"StateMachineArn": "m"})
    assert found is not None
    assert found.run_id == "run-a"
    look = Look(target, {"StateMachineArn": "m"}, SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]
    assert look.last is not None
    assert look.last.run_id == "run-a"


def test_a_run_in_flight_is_not_expected_to_be_as_quick_as_one_that_gave_way() -> None:
    target: Any = SimpleNamespace(client=lambda _: Executions())
    look = Look(target, {"StateMachineArn": "m"}, SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]
    assert of_environment._usual(look) == 60.0
    aws = Executions()
    aws.told["h"] = aws.told["z"] | {
        "executionArn": "h",
        "startDate": AT,
        "input": '{"layers": ["housekeeping"]}',
    }
    found = StateMachine(SimpleNamespace(client=lambda _: aws), {"StateMachineArn": "m"}).good()  # type: ignore[arg-type]
    assert found is not None
    assert found.run_id == "run-z"


class Objects:
    """S3 with two runs a day of a year."""

    def __init__(self) -> None:
        days = (datetime.now(UTC) - timedelta(days=n) for n in range(365))
        self.names = sorted(f"run-{day:%Y%m%d}T{hour}0000Z-0000" for day in days for hour in ("02", "14"))
        self.listed: list[int] = []

    def list_objects_v2(self, Prefix: str, StartAfter: str = "", **_: Any) -> dict[str, Any]:
        found = [f"{Prefix}{name}/" for name in self.names if f"{Prefix}{name}/" > StartAfter]
        self.listed.append(len(found))
        return {"CommonPrefixes": [{"Prefix": name} for name in found]}


def test_the_newest_runs_are_found_without_listing_those_of_a_year() -> None:
    s3 = Objects()
    target: Any = SimpleNamespace(client=lambda _: s3)
    assert newest_runs(target, {"ArtifactsBucket": "b"}, 20) == s3.names[::-1][:20]
    assert max(s3.listed) < 100
    s3.names = s3.names[:5]
    assert newest_runs(target, {"ArtifactsBucket": "b"}, 20) == s3.names[::-1]


def test_the_failed_state_is_the_one_before_the_catch() -> None:
    entered = [(1, "Prepare"), (2, "Bronze to silver"), (3, logs.CAUGHT), (4, "Write summary")]
    assert logs.failed_state(entered) == "Bronze to silver"
    assert logs.failed_state(entered[:2]) == "Bronze to silver"
    assert logs.failed_state([]) == ""


COPIES = ("Copy", "Copy", "Look at copy", "Is it copied", "Copy failed", "Look at copy", "Copied")
FIRST = ("Prepare", "Look for other runs", "Is another run in flight", "Bronze to silver", logs.CAUGHT, "Write failure",
         "Tell", "Is it retried", "Look for other runs")  # fmt: skip


@pytest.mark.parametrize(
    ("then", "state"),
    [
        (("Merge", "Look at merge", "Is it merged", "Wait for merge", "Look at merge", "Is it merged",
          "A statement failed", logs.CAUGHT, "Write failure"), "Merge"),
        (("Read positions", "Look at positions", "Are positions there", "A statement failed", logs.CAUGHT), "Read positions"),
        (("Load staging", *COPIES, logs.CAUGHT, "Write failure"), "Load staging"),
        (("Load staging", *COPIES[:4]), "Load staging"),
        (("Check replication", "Is replication running", "Replication does not run", logs.CAUGHT), "Check replication"),
        (("Is another run in flight", "Another run is in flight", logs.CAUGHT, "Tell"), "Look for other runs"),
        ((), "Look for other runs"),
    ],
)  # fmt: skip
def test_the_failed_state_of_a_run_that_was_retried_is_where_it_failed_last(
    then: tuple[str, ...], state: str
) -> None:
    assert logs.failed_state(list(enumerate((*FIRST, *then), 1))) == state


def test_states_that_only_look_or_decide_are_known_as_such(assets: Assets) -> None:
    states = yaml.safe_load(assets.read("infra_templates/state_machine.yaml"))["States"]
    inner = states["Load staging"]["ItemProcessor"]["States"]
    aside = {name for name, one in states.items() if one["Type"] in ("Choice", "Wait", "Pass")} - {"Prepare"}
    aside |= {name for name in states if name.startswith("Look at")} | set(inner)
    assert {name for name in (*states, *inner) if logs.ASIDE.match(name)} == aside


def test_the_columns_that_a_copy_refused_are_told_whatever_its_neighbours_did_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs, "read_step", lambda *_: None)
    monkeypatch.setattr(logs, "_exceptions", lambda *_: [])
    monkeypatch.setattr(logs, "_load_errors", lambda *_: ["file line 3, column price: why"])
    monkeypatch.setattr(
        StateMachine, "entered", lambda *_: list(enumerate(["Load staging", *COPIES, logs.CAUGHT]))
    )
    target: Any = SimpleNamespace(client=lambda _: None)
    for error, more in (("Medallion.CopyFailed", ["file line 3, column price: why"]), ("Glue.X", [])):
        found = logs.cause(target, {"StateMachineArn": "m"}, target, _run("FAILED", error))
        assert found is not None
        assert (found.state, found.more) == ("Load staging", more)


def _run(status: str, error: str = "") -> Execution:
    return Execution("run-1", "arn", status, AT, None, {}, {}, error, "boom")


AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "red"),
    [
        ("SUCCEEDED", []),
        ("RUNNING", []),
        ("FAILED", ["merge", "read gold"]),
        ("ABORTED", ["merge", "read gold"]),
    ],
)
def test_a_timeline_is_red_where_a_run_failed_and_goes_on_until_now(status: str, red: list[str]) -> None:
    states = ("Prepare", "Merge", "Look at merge", logs.CAUGHT, "Bronze to silver", "Read gold")
    began = [datetime.now(UTC) - timedelta(seconds=60 - 10 * n) for n in range(len(states))]
    spans = [Span(name, at, at) for name, at in zip(states, began, strict=True)]
    spans[-1] = replace(spans[-1], ended=None)
    found = runs.stages(_run(status), spans)
    assert [stage.name for stage in found if stage.failed] == red
    assert found[-1].ends - found[-1].begins == pytest.approx(10 if status == "RUNNING" else 0, abs=2)


def _looked(
    monkeypatch: pytest.MonkeyPatch, good: Execution | None, counters: dict[str, int], took: float = 10.0
) -> list[Any]:
    """What one look at bronze to silver tells, `took` seconds after it began."""
    seconds = iter([100.0, 100.0, 100.0, 100.0 + took])
    now = datetime.now(UTC)
    tables = [TableStatistics("shop", name, LOADED, rows, 0, 0, 0, None) for name, rows in counters.items()]
    spans = [Span("Prepare", AT, AT), Span("Bronze to silver", AT, AT + timedelta(seconds=50))]
    told = [Line(now, "g", "jr_1", text, str(n)) for n, text in enumerate(OUTPUT)]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    monkeypatch.setattr(progress, "job_runs", lambda *_: [_job()])
    monkeypatch.setattr(progress, "lines", lambda *_: iter(told))
    monkeypatch.setattr(progress.Replication, "tables", lambda _: tables)
    monkeypatch.setattr(StateMachine, "good", lambda _: good)
    monkeypatch.setattr(StateMachine, "spans", lambda *_: spans)
    outputs = dict.fromkeys(
        ("BronzeToSilverJob", "StateMachineArn", "ReplicationTaskArn", "TargetEndpointArn"), "x"
    )
    arrived = [
        {"table": name, "read": 10} for name in ("orders", "brands", "items")
    ]  # while replication ran anyway
    target: Any = SimpleNamespace(client=lambda _: None)
    settings: Any = SimpleNamespace(prefix="shop")
    return list(progress.Progress(target, outputs, settings, "run-1", arrived).look("Bronze to silver"))


def test_the_first_run_tells_tables_that_are_through_with_rate_and_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = _looked(monkeypatch, None, {"orders": 1000, "brands": 0, "items": 3000, "heartbeat": 7})
    assert [(e.step, e.detail) for e in told if isinstance(e, Finished)] == [
        ("orders", "1,000 rows, 250 a second"),
        ("brands", "0 rows"),
    ]
    last = told[-1]
    assert (last.step, last.done, last.total) == ("Bronze to silver", 1000, 4000)
    # The first table was begun 4 s ago, 6 s after the job: Spark's start says nothing of the rest.
    assert last.left == pytest.approx(12.0, abs=1.0)


def test_tables_of_one_name_in_two_schemas_are_told_apart_in_a_full_load() -> None:
    begun = datetime.now(UTC)
    tables = [
        TableStatistics(schema, name, LOADED, rows, 0, 0, 0, None, begun + timedelta(seconds=2), begun)
        for schema, name, rows in (("shop", "orders", 10), ("archive", "orders", 4), ("shop", "brands", 6))
    ]
    told = dict[str, str]()
    assert [(e.step, e.detail) for e in replicate.each_table(tables, told) if isinstance(e, Finished)] == [
        ("shop.orders", "10 rows, 5 a second"),
        ("archive.orders", "4 rows, 2 a second"),
        ("brands", "6 rows, 3 a second"),
    ]
    assert list(replicate.each_table(tables, told)) == []


@pytest.mark.parametrize(("took", "left"), [(10.0, 40.0), (60.0, None)])
def test_a_later_run_is_expected_to_take_what_the_last_good_one_took(
    monkeypatch: pytest.MonkeyPatch, took: float, left: float | None
) -> None:
    """Replication runs all the time: what came during the command says nothing of what the run finds."""
    last = _looked(monkeypatch, _run("SUCCEEDED"), {"orders": 5_000_000}, took)[-1]
    assert (last.done, last.total, last.left) == (1000, None, left)


def test_a_total_that_was_too_small_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    last = _looked(monkeypatch, None, {"orders": 10})[-1]
    assert (last.done, last.total, last.left) == (1000, None, None)


def _job() -> Any:
    return type("J", (), {"run_id": "run-1", "id": "jr_1"})()


def screen(width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The status of an unhealthy environment on a terminal."""
    terminal = Terminal()
    terminal.out.width = width
    monkeypatch.setattr(type(terminal.out), "is_terminal", True)
    return [line.plain for line in status_lines(terminal, _status())]


def _status() -> Status:
    table = {
        "table": "agg_sales_product_monthly", "rows": 12_345_678, "last_change": "2026-01-01T00:00:00+00:00",
        "lag_seconds": 90, "state": "ok", "behind_seconds": 4000, "freshness": "late",
    }  # fmt: skip
    engines = [
        Engine(name, "available", True)
        for name in ("source database", "replication instance", "replication", "warehouse")
    ]
    return Status(
        env="local", healthy=False, layers=[{"layer": "gold", "tables": [table]}],
        last_run={"run_id": "run-20260101T000000Z-abcd", "status": "FAILED", "seconds": 9.5, "cause": "boom"},
        replication={"status": "stopped", "generation": "g0001"},
        lag={"replication_seconds": 1.0, "silver_seconds": 2.0, "merge_seconds": None}, engines=engines,
        running=[], schedules=[], quarantine=[], findings=[finding("MED-DMS-030", "replication is stopped")],
    )  # fmt: skip


@pytest.mark.parametrize("width", [80, 160])
def test_status_keeps_to_the_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = screen(width, monkeypatch)
    assert max(len(line.rstrip()) for line in lines if not line.startswith(("✗", "  try"))) <= width
    text = "\n".join(lines)
    for part in (
        "late",
        "replication 1 s → silver 2 s → merge –",
        "MED-DMS-030",
        "not healthy",
        "12,345,678",
    ):
        assert part in text
    assert ("last change" in text) == (width == 160)


@pytest.mark.parametrize("broken", [False, True])
def test_a_low_screen_shows_what_is_wrong_first(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    terminal.out.size = ConsoleDimensions(80, 24)
    monkeypatch.setattr(type(terminal.out), "is_terminal", True)
    found = _status()
    (late,) = found.layers[0]["tables"]
    well = [{**late, "table": f"t{n}", "freshness": "fresh"} for n in range(30)]
    found = replace(found, layers=[{"layer": "gold", "tables": [*well, late] if broken else well}])
    lines = [line.plain for line in frame_lines(terminal, found)]
    assert len(lines) <= 18
    text = "\n".join(lines)
    for part in (
        "not healthy",
        "MED-DMS-030",
        "stopped, generation g0001",
        "30 tables are fresh and ok",
    ):
        assert part in text
    assert (late["table"][:20] in text) == broken
    terminal.out.size = ConsoleDimensions(80, 60)
    assert frame_lines(terminal, found) == status_lines(terminal, found)


def test_remedies_in_the_document_of_status_are_as_one_types_them_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(health, "_look", lambda *_: None)
    monkeypatch.setattr(local, "away", lambda _: [])
    monkeypatch.setattr(of_environment, "status", lambda _: _status())
    with pytest.raises(SystemExit) as stop:
        main(["--env", "dev", "--project", "/shop", "--output", "json", "status"])
    assert stop.value.code == 3
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    start = "medallion --env dev --project /shop"
    assert found["remedy"] == f"{start} replicate start && {start} run"


def test_a_remedy_can_be_typed_whatever_the_project_s_folder_is_called() -> None:
    call = Invocation("local", Path("/tmp/my\\1 shop"), Terminal())
    remedy = finding("MED-RUN-003", "old").tried(call.command("").strip()).remedy
    assert shlex.split(remedy) == ["medallion", "--project", "/tmp/my\\1 shop", "run"]


def test_lines_that_are_followed_are_a_json_document_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    told = [Line(at, "/aws/dms/shop", "s", "one\ntwo"), Line(at, "/aws/dms/shop", "s", "three")]
    monkeypatch.setattr(logs, "follow", lambda *_: iter(told))
    call: Any = SimpleNamespace(terminal=Terminal(output="json"), target=None, outputs={})
    health._follow(call, logs.Query((), at), None)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["text"] for one in found] == ["one\ntwo", "three"]
    assert found[0]["at"] == "2026-01-01T00:00:00+00:00"


def test_a_finding_is_what_is_wrong_and_what_to_type() -> None:
    first, second = (line.plain for line in finding_lines([finding("MED-DMS-030", "replication is stopped")]))
    assert first.startswith("✗ MED-DMS-030 replication is stopped")
    assert second == "  try medallion replicate start && medallion run"


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_timeline_is_a_bar_a_stage_within_the_width(width: int) -> None:
    stages = [
        Stage("look around", 0, 1),
        Stage("bronze to silver", 1, 31),
        Stage("merge", 31, 32, failed=True),
    ]
    bars: list[Text] = list(gantt(stages, width))
    assert [bar.plain.split("━")[0].split("  ")[0].strip() for bar in bars] == [s.name for s in stages]
    assert max(len(bar.plain) for bar in bars) <= width
    begins = [bar.plain.index("━") for bar in bars]
    assert begins == sorted(begins)
    lengths = [bar.plain.count("━") for bar in bars]
    assert lengths[1] > 5 * max(lengths[0], lengths[2]) or width == 40
