"""The dashboard in the terminal: an area over time, bars, shares and tiles, in as many columns as there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

if TYPE_CHECKING:
    from medallion_cli.console import Terminal
    from medallion_cli.operations.dashboard import Answer

WIDE = 120  # columns from which bars and shares stand side by side
HEIGHT = 9  # lines of the area over time, about: every tick is a whole number of lines from the next
_TONES = ("blue", "green", "yellow", "magenta", "cyan", "red")
_UPWARDS, _RIGHTWARDS = " ▁▂▃▄▅▆▇█", " ▏▎▍▌▋▊▉█"
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)  # between two labels


def draw(terminal: Terminal, answers: Sequence[Answer]) -> None:
    """All visuals in their order; neighbours share a line when both are narrow and the terminal is wide."""
    width = min(terminal.out.width, 200)
    for row in _rows(answers, width):
        each = (width - 4 * (len(row) - 1)) // len(row)
        drawn = [_titled(answer, each) for answer in row]
        terminal.line()
        terminal.print(drawn[0] if len(drawn) == 1 else _beside(drawn, each))


def shown(value: Any, form: str, currency: str) -> str:
    """A number in full: €1,234.50, 12.5%, 1,234; – when there is none."""
    if value is None:
        return "–"
    sign, size = "-" if value < 0 else "", abs(value)
    match form:
        case "currency":
            return f"{sign}{_money(currency)}{size:,.2f}"
        case "percent":
            return f"{value * 100:.1f}%"
        case "integer":
            return f"{value:,.0f}"
        case _:
            return f"{value:,}" if isinstance(value, int | Decimal) else f"{value:,.2f}"


def compact(value: float, form: str, currency: str) -> str:
    """A number for an axis: €1.2M, 850, 40%."""
    if form == "percent":
        return f"{value * 100:.3g}%"
    sign = "-" if value < 0 else ""
    text = next(
        (
            f"{abs(value) / size:.4g}{unit}"
            for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K"))
            if abs(value) >= size
        ),
        f"{abs(value):.4g}",
    )
    return f"{sign}{_money(currency) if form == 'currency' else ''}{text}"


def ticks(low: float, high: float) -> list[float]:
    """About five round values from `low` or below to `high` or above."""
    raw = (high - low) / 5 or 1.0
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(k * scale for k in (1, 2, 2.5, 5, 10) if k * scale >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, max(last, first + 1) + 1)]


def _money(currency: str) -> str:
    return _SYMBOLS.get(currency, f"{currency} ")


def _rows(answers: Sequence[Answer], width: int) -> list[list[Answer]]:
    """Visuals by line: bars and donuts in pairs when there is room."""
    rows: list[list[Answer]] = []
    for answer in answers:
        narrow = answer.visual.kind in ("bar", "donut") and width >= WIDE
        if narrow and rows and len(rows[-1]) == 1 and rows[-1][0].visual.kind in ("bar", "donut"):
            rows[-1].append(answer)
        else:
            rows.append([answer])
    return rows


def _beside(drawn: Sequence[RenderableType], width: int) -> Grid:
    grid = Grid.grid(padding=(0, 4, 0, 0), pad_edge=False)
    for _ in drawn:
        grid.add_column(width=width, no_wrap=True)
    grid.add_row(*drawn)
    return grid


def _titled(answer: Answer, width: int) -> Group:
    head = Text(answer.visual.title, style="bold", overflow="ellipsis", no_wrap=True)
    if not answer.rows:
        return Group(head, Text("no rows yet", style="dim"))
    match answer.visual.kind:
        case "kpi":
            return Group(head, _tiles(answer, width))
        case "line":
            return Group(head, *_area(answer, width))
        case "bar":
            return Group(head, *_bars(answer, width))
        case "donut":
            return Group(head, *_shares(answer, width))


def _tiles(answer: Answer, width: int) -> Columns:
    """A box a measure, all of one width, as many a line as fit evenly."""
    first = answer.rows[0]
    texts = [(m.title, shown(first[m.column], m.format, answer.currency)) for m in answer.visual.measures]
    least = max(max(cell_len(name), cell_len(text)) for name, text in texts) + 4
    fit = max(1, min(len(texts), (width + 1) // (least + 1)))
    even = math.ceil(len(texts) / math.ceil(len(texts) / fit))
    size = min(26, (width + 1) // even - 1)
    return Columns(
        [Panel(_tile(name, text), width=size, border_style="dim") for name, text in texts],
        padding=(0, 1, 0, 0),
    )


def _tile(name: str, text: str) -> Text:
    return Text.assemble((name, "dim"), "\n", (text, "bold"), no_wrap=True, overflow="ellipsis")


def _area(answer: Answer, width: int) -> list[Text]:
    """Eighths of a cell upwards from the lowest tick; round values to the left, x below."""
    numbers, form = answer.numbers, answer.visual.format
    marks = ticks(min(0.0, *numbers), max(0.0, *numbers))
    names = [compact(mark, form, answer.currency) for mark in marks]
    left, each = max(map(cell_len, names)), max(2, round(HEIGHT / (len(marks) - 1)))
    heights = _along(numbers, width - left - 2)
    size = (marks[1] - marks[0]) / each
    lines = []
    for level in reversed(range(each * (len(marks) - 1) + 1)):
        cells = "".join(_eighths((value - marks[0]) / size - level) for value in heights)
        mark, name = ("│", "") if level % each else ("┤", names[level // each])
        lines.append(Text.assemble((f"{name.rjust(left)} {mark}", "dim"), (cells.rstrip(), "blue")))
    return [*lines, Text(" " * (left + 2) + _axis(answer, len(heights)), style="dim")]


def _eighths(fill: float) -> str:
    return _UPWARDS[round(8 * min(1.0, max(0.0, fill)))]


def _along(numbers: Sequence[float], width: int) -> list[float]:
    """One height a column: straight lines between the points, or the mean of those that share a column."""
    count = len(numbers)
    if count > width:
        cuts = [round(k * count / width) for k in range(width + 1)]
        return [sum(numbers[a:b]) / (b - a) for a, b in pairwise(cuts)]
    if count == 1:
        return list(numbers) * min(width, 8)
    heights: list[float] = []
    places = [_place(k, count, width) for k in range(count)]
    for (a, low), (b, high) in pairwise(zip(places, numbers, strict=True)):
        heights += [low + (high - low) * k / (b - a) for k in range(b - a)]
    return [*heights, numbers[-1]]


def _place(index: int, count: int, width: int) -> int:
    """The column of a point: the first is at the left edge, the last at the right."""
    return round(index * (width - 1) / max(1, count - 1))


def _axis(answer: Answer, width: int) -> str:
    """Labels below the area, as many as fit with a gap; months at round ones."""
    labels, line = answer.labels, ""
    room = max(map(cell_len, labels)) + 3
    every = math.ceil(len(labels) * room / width)
    start = 0
    if answer.grain == "month":
        every = next((step for step in _MONTHS if step >= every), every)
        first = answer.drawn[0][0]
        start = -(first.year * 12 + first.month - 1) % every  # type: ignore[union-attr]
    for index in range(start, len(labels), every):
        at = _place(index, len(labels), width)
        if at + cell_len(labels[index]) <= width and at >= cell_len(line):
            line += " " * (at - cell_len(line)) + labels[index]
    return line


def _bars(answer: Answer, width: int) -> list[Text]:
    """A line a row: its name, its number, a bar as long as it is large."""
    numbers = answer.numbers
    texts = [shown(y, answer.visual.format, answer.currency) for _, y in answer.drawn]
    return _lines(answer.labels, texts, numbers, max(*numbers, 0.0), ["blue"] * len(texts), width)


def _shares(answer: Answer, width: int) -> list[Text]:
    """A line a row: its part of the whole."""
    numbers, total = answer.numbers, sum(answer.numbers) or 1.0
    values = [shown(y, answer.visual.format, answer.currency) for _, y in answer.drawn]
    room = max(map(cell_len, values))
    texts = [f"{text.rjust(room)} {n / total:6.1%}" for text, n in zip(values, numbers, strict=True)]
    tones = [_TONES[k % len(_TONES)] for k in range(len(texts))]
    return _lines(answer.labels, texts, numbers, max(*numbers, 0.0), tones, width)


def _lines(
    labels: Sequence[str],
    texts: Sequence[str],
    sizes: Sequence[float],
    most: float,
    tones: Sequence[str],
    width: int,
) -> list[Text]:
    left = min(max(map(cell_len, labels)), max(12, width * 2 // 5))
    middle = max(map(cell_len, texts))
    room = max(4, width - left - middle - 4)
    return [
        Text.assemble(
            _fitted(label, left),
            "  ",
            text.rjust(middle),
            "  ",
            (_bar(size / (most or 1.0), room), tone),
            no_wrap=True,
        )
        for label, text, size, tone in zip(labels, texts, sizes, tones, strict=True)
    ]


def _fitted(label: str, width: int) -> str:
    """The label in exactly `width` cells (East Asian characters take two)."""
    return set_cell_size(label, width) if cell_len(label) <= width else set_cell_size(label, width - 1) + "…"


def _bar(share: float, room: int) -> str:
    """A bar in eighths of a cell; what is more than nothing is at least one eighth."""
    eighths = max(round(share * room * 8), 1 if share > 0 else 0)
    whole, rest = divmod(max(eighths, 0), 8)
    return "█" * whole + (_RIGHTWARDS[rest] if rest else "")
