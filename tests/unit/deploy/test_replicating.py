"""Replication while its stack changes: stopped before, resumed after, and a new generation for a new task."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fake_parameters import Parameters

from medallion_cli.aws.cloudformation import Change, ChangeSet
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Noted
from medallion_cli.operations import marks
from medallion_cli.operations.deployment import replicating
from medallion_cli.operations.deployment.apply import _Up
from medallion_cli.operations.deployment.replicating import MARK, Replicating

FOUND = {"ReplicationTaskArn": "task", "TargetEndpointArn": "endpoint"}
SETTINGS = Change("x", "Modify", "Task", "AWS::DMS::ReplicationTask", "False", ("ReplicationTaskSettings",))
REPLACED = Change("x", "Modify", "Task", "AWS::DMS::ReplicationTask", "True", ("MigrationType",))
ELSEWHERE = Change("x", "Modify", "Role", "AWS::IAM::Role", "False")
ADDED = Change("x", "Add", "Other", "AWS::DMS::Endpoint", None)


class Task:
    """A replication task, and what was asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, status: str = "running") -> None:
        self.now, self.told = status, list[str]()
        fake = SimpleNamespace(status=self.status, start=self.start, stop=self.stop)
        fake.next_generation = replicating.replicate.next_generation
        monkeypatch.setattr(replicating, "replicate", fake)
        monkeypatch.setattr(replicating, "Replication", lambda *_: self)
        self.folder, self.started = "g0007", True
        self.target = Parameters()
        self.discarded: list[str] = []
        stacks = SimpleNamespace(discard=self.discarded.append)
        self.deployment: Any = SimpleNamespace(
            target=self.target, settings=self.target.settings, stacks=stacks, name=lambda stack: stack
        )
        self.subject = Replicating(self.deployment, dict(FOUND))

    def status(self, *_: Any) -> Any:
        return SimpleNamespace(status=self.now, generation=self.folder)

    def task(self) -> Any:
        return SimpleNamespace(started=self.started)

    def generation(self) -> str:
        return self.folder

    def write_generation(self, generation: str) -> None:
        self.folder = generation

    def start(self, *_: Any) -> Iterator[Event]:
        self.told.append("start")
        self.now = "running"
        yield Noted("started")

    def stop(self, *_: Any) -> Iterator[Event]:
        self.told.append("stop")
        self.now = "stopped"
        yield Noted("stopped")

    @property
    def mark(self) -> str | None:
        return marks.read(self.target, MARK)  # type: ignore[arg-type]


def test_a_running_task_is_stopped_for_a_change_and_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(monkeypatch)
    list(task.subject.stopped([ELSEWHERE, SETTINGS]))
    assert (task.told, task.mark) == (["stop"], "g0007")
    list(task.subject.resumed())
    assert (task.told, task.mark) == (["stop", "start"], None)


@pytest.mark.parametrize(
    ("status", "changes"), [("running", [ELSEWHERE, ADDED]), ("stopped", [SETTINGS]), ("ready", [SETTINGS])]
)
def test_what_does_not_need_it_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, status: str, changes: list[Change]
) -> None:
    task = Task(monkeypatch, status)
    list(task.subject.stopped(changes))
    list(task.subject.resumed())
    assert (task.told, task.mark) == ([], None)


def test_an_up_that_was_killed_in_between_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(monkeypatch)
    list(task.subject.stopped([SETTINGS]))
    list(Replicating(task.deployment, dict(FOUND)).resumed())
    assert task.now == "running"


def test_a_new_task_begins_a_new_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(monkeypatch)
    asked: list[Any] = []

    def change_set(_: Any, stack: str, __: Any, more: dict[str, str]) -> Iterator[Any]:
        asked.append((stack, more))
        yield from ()
        return ChangeSet("second", [REPLACED])

    monkeypatch.setattr(replicating, "change_set", change_set)
    assert made(task, ChangeSet("first", [REPLACED])).id == "second"
    assert asked == [("replication", {"Generation": "g0008"})]
    assert task.discarded == ["first"]


def test_a_task_that_stays_keeps_its_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = ChangeSet("first", [SETTINGS])
    assert made(Task(monkeypatch), kept) is kept


def made(task: Task, first: ChangeSet) -> ChangeSet:
    steps = task.subject.change_set(first)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]


def test_a_change_that_is_rolled_back_replicates_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(monkeypatch)
    up: Any = object.__new__(_Up)
    up.deployment, up.replace_data = task.deployment, False

    def fails(*_: Any) -> Iterator[Event]:
        yield Noted("changing")
        raise MedallionError("rolled back")

    up._execute = fails
    with pytest.raises(MedallionError, match="rolled back"):
        list(up._change("replication", ChangeSet("first", [SETTINGS]), task.subject))
    assert (task.told, task.mark) == (["stop", "start"], None)


@pytest.mark.parametrize(("started", "folder"), [(True, "g0007"), (False, "g0001")])
def test_a_task_that_has_run_goes_on_in_its_own_generation(
    monkeypatch: pytest.MonkeyPatch, started: bool, folder: str
) -> None:
    """A rollback puts back the generation that the stack was made with; a reload has moved on since."""
    task = Task(monkeypatch)
    list(task.subject.stopped([SETTINGS]))
    task.folder, task.started = "g0001", started
    list(Replicating(task.deployment, dict(FOUND)).resumed())
    assert (task.folder, task.told) == (folder, ["stop", "start"])


def test_one_that_was_not_running_keeps_its_generation_too(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(monkeypatch, "stopped")
    list(task.subject.stopped([SETTINGS]))
    task.folder = "g0001"
    list(task.subject.resumed())
    assert (task.folder, task.told) == ("g0007", [])
