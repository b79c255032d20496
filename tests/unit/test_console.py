"""Tables keep to one line a row; progress is told in phases."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from medallion_cli.aws.orchestration import Execution
from medallion_cli.console import Terminal
from medallion_cli.events import Event, Failed, Finished, Started
from medallion_cli.operations import run

TEMPLATE = Path(__file__).parents[2] / "infra_templates" / "state_machine.yaml"


def _table(width: int, terminal: bool, columns: list[str], *rows: tuple[object, ...]) -> list[str]:
    subject, out = Terminal(), io.StringIO()
    subject.out = Console(file=out, width=width, force_terminal=terminal, no_color=True, highlight=False)
    subject.rows(None, columns, rows)
    return [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in out.getvalue().splitlines()]


def test_a_pipe_gets_every_character_on_one_line_a_row() -> None:
    assert _table(20, False, ["name", "rows"], ("a" * 30, 1), ("b\n\x1b[31m", 2000)) == [
        f"name{' ' * 29}rows",
        f"{'a' * 30}      1",
        f"b  [31m{' ' * 25}2,000",
    ]


def _drawn(terminal: bool) -> list[str]:
    """A tree of three levels with a long line in the deepest, on 40 columns."""
    subject, out = Terminal(), io.StringIO()
    subject.out = Console(file=out, width=40, force_terminal=terminal, no_color=True, highlight=False)
    tree = Tree(Text("orders 1"))
    tree.add(Text("changes")).add(Text("before ") + Text("x" * 300 + " ") + Text("y" * 300))
    subject.print(tree)
    return out.getvalue().splitlines()


def test_a_pipe_gets_the_lines_of_a_tree_whole_and_without_blanks_at_their_ends() -> None:
    assert _drawn(False) == ["orders 1", "└── changes", f"    └── before {'x' * 300} {'y' * 300}"]
    assert all(len(line) <= 40 for line in _drawn(True))


def test_a_terminal_cuts_texts_and_never_numbers() -> None:
    assert _table(28, True, ["layer", "table", "rows"], ("gold", "agg_sales_product_monthly", 123456)) == [
        "layer  table            rows",
        "gold   agg_sales_p…  123,456",
    ]


def test_every_phase_is_a_state_of_the_state_machine() -> None:
    states = yaml.safe_load(TEMPLATE.read_text())["States"]
    assert set(run.PHASES) <= set(states)


class Machine:
    """A state machine whose history grows by one poll's states at a time."""

    def __init__(self, polls: list[list[str]], status: str) -> None:
        self.polls, self.status, self.at = polls, status, -1

    def execution(self, arn: str) -> Any:
        self.at += 1
        ended = self.at == len(self.polls) - 1
        values: dict[str, Any] = dict.fromkeys(Execution.__dataclass_fields__, "")
        return Execution(
            **{**values, "arn": arn, "status": self.status if ended else "RUNNING", "error": "Boom"}
        )

    def entered(self, arn: str, after: int) -> list[tuple[int, str]]:
        states = [state for poll in self.polls[: self.at + 1] for state in poll]
        return [(k, state) for k, state in enumerate(states, 1) if k > after]


def _told(polls: list[list[str]], status: str, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    monkeypatch.setattr(run, "time", SimpleNamespace(sleep=lambda _: None, monotonic=time.monotonic))

    class Settings:
        poll_seconds = 1

    machine: Any = Machine(polls, status)
    settings: Any = Settings()
    start: Any = machine.execution("arn")
    machine.at = -1
    return list(run._follow(machine, start, settings))


def test_a_run_is_told_in_phases_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    polls = [
        ["Prepare", "Look for other runs", "Bronze to silver"],
        [],
        ["Read silver", "Merge", "Look at merge", "Wait for merge"],
        ["Look at merge", "Merge", "Look at merge", "Write summary"],
    ]
    assert _told(polls, "SUCCEEDED", monkeypatch) == [
        Started("Bronze to silver"),
        Finished("Bronze to silver"),
        Started("Merge"),
        Finished("Merge"),
        Started("Write summary"),
        Finished("Write summary"),
    ]


def test_the_phase_that_failed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    polls = [["Bronze to silver"], ["Read silver of the failed run", "Write failure", "Tell", "Failed"]]
    assert _told(polls, "FAILED", monkeypatch) == [
        Started("Bronze to silver"),
        Failed("Bronze to silver", "Boom"),
    ]
