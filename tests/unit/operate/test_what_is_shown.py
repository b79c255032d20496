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
from rich.console import ConsoleDimensions
from rich.text import Text

from medallion_cli.aws.logs import Line
from medallion_cli.cli import main
from medallion_cli.commands import health, local
from medallion_cli.commands.context import Invocation
from medallion_cli.commands.screens import finding_lines, frame_lines, gantt, status_lines
from medallion_cli.console import Terminal
from medallion_cli.events import Finished, Progressed
from medallion_cli.operations import logs, progress
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
    "run-20260101T000000Z-abcd failed: orders: schema drift at the source: a added (int)": "MED-SIL-010",
    "run-20260101T000000Z-abcd failed: canceling statement due to lock timeout": "MED-GLD-004",
    "run-20260101T000000Z-abcd aborted": "MED-RUN-002",
    "run-20260101T000000Z-abcd failed: boom": "MED-RUN-001",
    "MED-VER-001 names itself": None,
    "no model 'x'": None,
}
OUTPUT = ("orders: appended, read 1000, live 990", "noise", "brands: appended, read 0, live 12")


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


def test_a_run_tells_tables_that_are_through_with_rate_and_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([100.0, 100.0, 100.0, 110.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(progress, "job_runs", lambda *_: [_job()])
    now = datetime.now(UTC)
    monkeypatch.setattr(
        progress, "lines", lambda *_: iter([Line(now, "g", "jr_1", text, str(n)) for n, text in enumerate(OUTPUT)])
    )  # fmt: skip
    outputs, settings = {"BronzeToSilverJob": "silver"}, type("S", (), {"prefix": "shop"})()
    arrived = [
        {"table": "orders", "read": 1000},
        {"table": "brands", "read": 0},
        {"table": "items", "read": 3000},
    ]
    target: Any = None
    told = list(progress.Progress(target, outputs, settings, "run-1", arrived).look("Bronze to silver"))
    assert [(e.step, e.detail) for e in told if isinstance(e, Finished)] == [
        ("orders", "1,000 rows"),
        ("brands", "0 rows"),
    ]
    last = told[-1]
    assert isinstance(last, Progressed)
    assert (last.done, last.total) == (1000, 4000)
    assert last.left == pytest.approx(30.0)


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
