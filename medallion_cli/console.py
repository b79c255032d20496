"""The only owner of the terminal: data goes to stdout, talk to stderr; plain lines when nobody watches."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress_bar import ProgressBar
from rich.text import Text
from rich.tree import Tree

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Failed, Finished, Noted, Progressed, Started

Output = Literal["table", "json"]
T = TypeVar("T")
UNBROKEN = 100_000  # columns: wider than any line


@dataclass
class Terminal:
    """What one invocation writes; `output` json means one document on stdout and nothing else there."""

    output: Output = "table"
    quiet: bool = False

    def __post_init__(self) -> None:
        self.out = Console(file=sys.stdout, highlight=False, soft_wrap=False)
        self.err = Console(file=sys.stderr, highlight=False)

    @property
    def wants_json(self) -> bool:
        """Whether stdout carries one JSON document."""
        return self.output == "json"

    def document(self, value: object) -> None:
        """One JSON document on stdout; decimals as strings, timestamps as ISO 8601."""
        sys.stdout.write(json.dumps(value, default=_encode, ensure_ascii=False, indent=2) + "\n")

    def record(self, value: object) -> None:
        """One JSON document of many, on a line of its own, and at once."""
        sys.stdout.write(json.dumps(value, default=_encode, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def rows(
        self,
        title: str | None,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        grouped: bool = True,
    ) -> None:
        """A table on stdout, one line a row; numbers to the right, in groups of three digits unless told not to.

        On a terminal that is too narrow texts are cut; a pipe gets all of them.
        """
        if title:
            self.out.print(Text(title, style="italic"), soft_wrap=True)
        for line in self.table(columns, rows, grouped=grouped):
            self.out.print(line, soft_wrap=True)

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, grouped: bool = True
    ) -> list[Text]:
        """The lines of a table, its head first."""
        values = [tuple(row) for row in rows]
        cells = [[_cell(value, grouped) for value in row] for row in values]
        natural = [max(map(cell_len, [name, *(c[k].plain for c in cells)])) for k, name in enumerate(columns)]
        numeric = [_numeric([row[k] for row in values]) for k in range(len(columns))]
        widths = _cut(natural, numeric, self.out.width) if self.out.is_terminal else natural
        head = [Text(name, style="bold") for name in columns]
        return [_joined(row, widths, numeric) for row in (head, *cells)]

    def watch(self, frames: Iterable[Sequence[Text]]) -> None:
        """Shows each frame in the place of the one before; as lines, and only when it changed, where nobody watches.

        Ctrl-C ends it; the last frame stays.
        """
        last: Sequence[Text] = ()
        try:
            if not self.out.is_terminal:
                for frame in frames:
                    if [line.plain for line in frame] != [line.plain for line in last]:
                        last = frame
                        for line in frame:
                            self.out.print(line, soft_wrap=True)
                return
            with Live(console=self.out, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
                for frame in frames:
                    last = frame
                    live.update(Group(*frame), refresh=True)
        except KeyboardInterrupt:
            if self.out.is_terminal:
                for line in last:
                    self.out.print(line, soft_wrap=True)

    def paged(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table of ungrouped numbers; on a terminal that it does not fit, uncut and in a pager."""
        from medallion_cli.pager import fits, page

        if not self.out.is_terminal or fits(columns, rows, self.out.size):
            self.rows(None, columns, rows, grouped=False)
            return
        buffer = io.StringIO()
        whole = Terminal(self.output, self.quiet)
        whole.out = Console(
            file=buffer, force_terminal=True, width=UNBROKEN, highlight=False, no_color=self.out.no_color
        )
        whole.rows(None, columns, rows, grouped=False)
        if not page(buffer.getvalue()):
            self.rows(None, columns, rows, grouped=False)

    def raw(self, content: bytes) -> None:
        """Bytes on stdout: CSV, Parquet."""
        sys.stdout.flush()
        sys.stdout.buffer.write(content)

    def line(self, text: str = "", style: str | None = None) -> None:
        """One line of result on stdout."""
        self.out.print(text, style=style, markup=False, soft_wrap=True)

    def lines(self, texts: Iterable[Text]) -> None:
        """Lines of result on stdout, none of them broken."""
        for text in texts:
            self.out.print(text, soft_wrap=True)

    def print(self, renderable: object) -> None:
        """Anything rich can draw, on stdout; a pipe gets trees with their lines whole."""
        is_broken = isinstance(renderable, Tree | Text) and not self.out.is_terminal
        console = Console(file=self.out.file, width=UNBROKEN, highlight=False) if is_broken else self.out
        console.print(renderable)

    def say(self, text: str, style: str | None = "dim") -> None:
        """One line of talk on stderr."""
        if not self.quiet:
            self.err.print(text, style=style, markup=False, soft_wrap=True)

    def error(self, error: MedallionError, code: str | None = None) -> None:
        """At most two lines: what and where, with the code of the finding that it is a case of; the next command."""
        message = " ".join(str(error).split())
        named = (f" ({code})", "dim") if code else ""
        self.err.print(Text.assemble(("error ", "bold red"), message, named), soft_wrap=True)
        if error.hint:
            self.err.print(Text.assemble(("  try ", "dim"), " ".join(error.hint.split())), soft_wrap=True)

    def follow(self, events: Generator[Event, None, T]) -> T:
        """Draws an operation's events until it ends and returns its result."""
        view = _Live(self.err) if self.err.is_terminal and not self.quiet else _Plain(self)
        with view:
            while True:
                try:
                    view.show(next(events))
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]


QUIET_SECONDS = 5.0  # between lines about one step, and for a part of a step to be worth a line
QUIET_MINUTE = 30.0  # between them once more than two minutes are left


class _Plain:
    """Events as lines: for logs, pipes and tests."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.began: dict[str, float] = {}
        self.spoke: dict[str, float] = {}

    def __enter__(self) -> _Plain:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, event: Event) -> None:
        """One line an event; progress now and then; a part of a step once it took seconds, and when it failed."""
        now = time.monotonic()
        match event:
            case Started(step, within):
                self.began[_key(step, within)] = self.spoke[step] = now
            case Progressed(step, done, total, unit, left):
                pause = QUIET_MINUTE if (left or 0) > 120 else QUIET_SECONDS
                if now - self.spoke.get(step, 0.0) >= pause:
                    self.spoke[step] = now
                    self.terminal.say(f"  {step}: {_amount(done, total, unit)}{_left(left, ', ')}")
            case Finished(step, detail, within):
                took = now - self.began.get(_key(step, within), now)
                if not within:
                    self.terminal.say(f"✓ {step}{_tail(detail)} {_took(self.began, step)}".rstrip(), None)
                elif took >= QUIET_SECONDS:
                    self.terminal.say(f"  {within} {step}{_tail(detail)} {_seconds(took)}")
            case Failed(step, reason, within):
                self.terminal.say(f"✗ {_named(step, within)}: {reason}", "red")
            case Noted(text):
                self.terminal.say(text)


class _Bar(BarColumn):
    """A bar for steps whose end is known; the others have their spinner."""

    def render(self, task: Task) -> ProgressBar:
        """Nothing when the total is not known."""
        return super().render(task) if task.total else ProgressBar(width=0)


class _Steps(Progress):
    """Parts of a step are shown under it, whenever they began."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """One table, in the order of steps and their parts."""
        yield self.make_tasks_table(sorted(self.tasks, key=lambda task: task.fields["place"]))


class _Live:
    """Events as spinners and bars that turn into finished lines."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = _Steps(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            _Bar(bar_width=20),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[left]}"),
            console=console,
            transient=True,
        )
        self.tasks: dict[str, TaskID] = {}
        self.places: dict[str, int] = {}
        self.began: dict[str, float] = {}

    def __enter__(self) -> _Live:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def show(self, event: Event) -> None:
        """Moves the bars and prints what has ended."""
        match event:
            case Started(step, within):
                self._task(step, within)
            case Progressed(step, done, total, unit, left):
                amount = _amount(done, total, unit)
                self.progress.update(
                    self._task(step), completed=int(done), total=total, amount=amount, left=_left(left)
                )
            case Finished(step, detail, within, kept) if kept and _key(step, within) in self.tasks:
                self.progress.update(self._task(step, within), total=0, amount=detail)
            case Finished(step, detail, within):
                self._end(step, within)
                if not within:
                    took = _took(self.began, step)
                    self.console.print(
                        Text.assemble(("✓ ", "green"), step, (_tail(detail), "dim"), (f" {took}", "dim"))
                    )
            case Failed(step, reason, within):
                self._end(step, within)
                self.console.print(Text.assemble(("✗ ", "red"), f"{_named(step, within)}: {reason}"))
            case Noted(text):
                self.console.print(Text(text, style="dim"))

    def _task(self, step: str, within: str = "") -> TaskID:
        key = _key(step, within)
        if key not in self.tasks:
            self.began[key] = time.monotonic()
            number = len(self.began)
            place = (self.places.get(within, number), number) if within else (number, 0)
            self.places[key] = number
            shown = f"  [dim]{escape(step)}" if within else escape(step)
            self.tasks[key] = self.progress.add_task(shown, total=None, amount="", left="", place=place)
        return self.tasks[key]

    def _end(self, step: str, within: str = "") -> None:
        if (task := self.tasks.pop(_key(step, within), None)) is not None:
            self.progress.remove_task(task)
        for key in [key for key in self.tasks if not within and key.startswith(f"{step}\0")]:
            self.progress.remove_task(self.tasks.pop(key))


def _key(step: str, within: str) -> str:
    """A part's own name among all steps'."""
    return f"{within}\0{step}" if within else step


def _named(step: str, within: str) -> str:
    return f"{within} {step}" if within else step


def _left(seconds: float | None, before: str = "") -> str:
    """`about 12 min left`; nothing when it is not known, or when it is over."""
    if not seconds or seconds < 1:
        return ""
    amount = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
    return f"{before}about {amount} left"


def _seconds(took: float) -> str:
    return f"({took:.1f} s)"


def _numeric(values: Sequence[object]) -> bool:
    return bool(values) and all(isinstance(v, int | float | Decimal | None) for v in values)


def _cut(widths: Sequence[int], numeric: Sequence[bool], width: int) -> list[int]:
    """Widths that fit, the widest texts cut first; as they are when cutting texts to 8 cells is not enough."""
    cut, spare = list(widths), width - 2 * (len(widths) - 1)
    while sum(cut) > spare:
        texts = [k for k in range(len(cut)) if not numeric[k] and cut[k] > 8]
        if not texts:
            return list(widths)
        cut[max(texts, key=lambda k: cut[k])] -= 1
    return cut


def _joined(cells: Sequence[Text], widths: Sequence[int], numeric: Sequence[bool]) -> Text:
    """One line of a table, without blanks at its end."""
    line = Text()
    for cell, width, right in zip(cells, widths, numeric, strict=True):
        cell.truncate(width, overflow="ellipsis")
        cell.align("right" if right else "left", width)
        line.append(cell).append("  ")
    line.rstrip()
    return line


def _tail(detail: str) -> str:
    return f": {detail}" if detail else ""


def _amount(done: float, total: float | None, unit: str) -> str:
    """`1,200 of 5,000 rows`."""
    return f"{done:,.0f}{f' of {total:,.0f}' if total else ''} {unit}".rstrip()


def _took(began: dict[str, float], step: str) -> str:
    started = began.get(step)
    return f"({time.monotonic() - started:.1f} s)" if started is not None else ""


def _cell(value: object, grouped: bool) -> Text:
    match value:
        case None:
            return Text("–", style="dim")
        case bool():
            return Text("yes" if value else "no", style="green" if value else "red")
        case int() | Decimal():
            return Text(f"{value:,}" if grouped else str(value))
        case datetime():
            return Text(value.isoformat(sep=" ", timespec="seconds"))
        case Text():
            return value
        case _:
            return Text("".join(c if c.isprintable() else " " for c in str(value)))


def _encode(value: object) -> Any:
    match value:
        case Decimal():
            return str(value)
        case datetime():
            return value.isoformat()
        case date():
            return value.isoformat()
        case bytes():
            return value.hex()
        case _ if is_dataclass(value) and not isinstance(value, type):
            return asdict(value)
        case _:
            return str(value)
