"""What an operator sees of a deployment: parts of steps, and what is left; lines when nobody watches."""

from __future__ import annotations

import io
import itertools
from collections.abc import Generator
from types import SimpleNamespace

import pytest
from rich.console import Console

from medallion_cli import console
from medallion_cli.console import Terminal
from medallion_cli.events import Event, Failed, Finished, Progressed, Started

STACK = "retail-dev-source"


def deployment() -> Generator[Event, None, None]:
    yield Started("retail-dev")
    yield Started(STACK)
    yield Started("Database", STACK)
    yield Progressed(STACK, 3, 14, "resources", 420.0)
    yield Started("[Role]", STACK)
    yield Finished("[Role]", "IAM::Role", STACK)
    yield Failed("Function", "no such role", STACK)
    yield Finished("Database", "RDS::DBInstance", STACK)
    yield Finished(STACK, "14 changes")


def shown(monkeypatch: pytest.MonkeyPatch, *, watched: bool) -> str:
    clock = itertools.count(0, 7)
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    out, terminal = io.StringIO(), Terminal()
    terminal.err = Console(file=out, force_terminal=watched, width=120, no_color=True, highlight=False)
    terminal.follow(deployment())
    return out.getvalue()


def test_a_log_gets_a_line_for_what_took_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "QUIET_MINUTE", 5.0)
    assert shown(monkeypatch, watched=False).splitlines() == [
        "  retail-dev-source: 3 of 14 resources, about 7 min left",
        "  retail-dev-source [Role]: IAM::Role (7.0 s)",
        "✗ retail-dev-source Function: no such role",
        "  retail-dev-source Database: RDS::DBInstance (35.0 s)",
        "✓ retail-dev-source: 14 changes (56.0 s)",
    ]


def test_minutes_are_not_told_every_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "14 resources" not in shown(monkeypatch, watched=False)


def test_a_terminal_shows_parts_under_their_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    add = console._Live.show

    def show(self: console._Live, event: Event) -> None:
        add(self, event)
        tasks = sorted(self.progress.tasks, key=lambda task: task.fields["place"])
        seen.append([task.description for task in tasks])

    monkeypatch.setattr(console._Live, "show", show)
    text = shown(monkeypatch, watched=True)
    assert ["retail-dev", STACK, "  [dim]Database", "  [dim][Role]"] in seen
    assert seen[-1] == ["retail-dev"]
    assert f"✗ {STACK} Function: no such role" in text


def test_a_part_that_is_kept_is_shown_with_its_rows_until_its_step_ends() -> None:
    out = io.StringIO()
    view = console._Live(Console(file=out, force_terminal=True, width=120, no_color=True))
    view.show(Started(STACK))
    view.show(Started("orders", STACK))
    view.show(Finished("orders", "1,000,000 rows", STACK, kept=True))
    view.show(Finished("never begun", "5 rows", STACK, kept=True))
    kept = view.progress.tasks[-1]
    assert (kept.description, kept.fields["amount"], kept.finished) == (
        "  [dim]orders",
        "1,000,000 rows",
        True,
    )
    view.show(Finished(STACK, "done"))
    assert view.progress.tasks == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.2, ""), (42.0, "about 42 s left"), (600.0, "about 10 min left")],
)
def test_what_is_left_is_rounded_as_one_says_it(seconds: float | None, text: str) -> None:
    assert console._left(seconds) == text
