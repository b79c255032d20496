"""How status, findings and runs look on a terminal: lines of text, the same for a screen that is redrawn and for a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rich.text import Text

from medallion_cli import durations

if TYPE_CHECKING:
    from medallion_cli.console import Terminal
    from medallion_cli.operations.doctor.rules import Finding
    from medallion_cli.operations.runs import RunView, Stage
    from medallion_cli.operations.status import Status

WIDE = 100  # cells from which all columns are shown
GOOD = ("fresh", "ok")
STYLES = {"fresh": "green", "late": "yellow", "stale": "red", "ok": "", "failed": "red", "unknown": "dim"}
MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "note": ("·", "dim")}


def status_lines(terminal: Terminal, found: Status) -> list[Text]:
    """One screen: layers, lag, what runs, engines, findings."""
    if not found.layers:  # there was nobody to ask
        return [*finding_lines(found.findings), Text(), _verdict(found)]
    findings = [*finding_lines(found.findings), Text()] if found.findings else []
    return [
        *_tables(terminal, _rows(found)),
        Text(),
        *_told(terminal, found),
        Text(),
        *findings,
        _verdict(found),
    ]


def frame_lines(terminal: Terminal, found: Status) -> list[Text]:
    """A screen that is redrawn; where it is too low, what is wrong comes first, and tables that are well are one line."""
    lines = status_lines(terminal, found)
    width, height = terminal.out.size
    if (
        not terminal.out.is_terminal
        or sum(len(one.wrap(terminal.out, width)) or 1 for one in lines) <= height
    ):
        return lines
    rows = [(layer, entry) for layer, entry in _rows(found) if (entry["freshness"], entry["state"]) != GOOD]
    folded = len(_rows(found)) - len(rows)
    rest = [Text(f"{folded} tables are fresh and ok", "dim")] if folded else []
    tables = [Text(), *_tables(terminal, rows)] if rows else []
    return [_verdict(found), *finding_lines(found.findings), Text(), *_told(terminal, found), *rest, *tables]


def _is_wide(terminal: Terminal) -> bool:
    return not terminal.out.is_terminal or terminal.out.width >= WIDE


def _rows(found: Status) -> list[tuple[str, dict[str, Any]]]:
    """(layer, table)."""
    return [(layer["layer"], entry) for layer in found.layers for entry in layer["tables"]]


def _tables(terminal: Terminal, rows: Iterable[tuple[str, dict[str, Any]]]) -> list[Text]:
    wide = _is_wide(terminal)
    columns = ["layer", "table", "rows", "behind", "fresh", "state"]
    columns += ["quarantined", "last change", "age"] if wide else []
    return terminal.table(columns, [_table(layer, entry, wide) for layer, entry in rows])


def _told(terminal: Terminal, found: Status) -> list[Text]:
    return [_labelled(*pair) for pair in _facts(found, _is_wide(terminal))]


def _table(layer: str, entry: dict[str, Any], wide: bool) -> tuple[object, ...]:
    state = str(entry["state"]).replace("_", " ")
    fresh = str(entry["freshness"])
    shown = (
        layer,
        entry["table"],
        entry["rows"],
        durations.told(entry["behind_seconds"]),
        Text(fresh, STYLES.get(fresh, "")),
        Text(state, STYLES.get(state, "yellow")),
    )
    if not wide:
        return shown
    last = entry["last_change"] and entry["last_change"][:19].replace("T", " ")
    return (*shown, entry.get("quarantined") or None, last, durations.told(entry["lag_seconds"]))


def _facts(found: Status, wide: bool) -> Iterator[tuple[str, Text]]:
    """Label and text of each line under the table; engines two a line where it is narrow."""
    parts = [
        f"{name} {durations.told(found.lag[f'{name}_seconds']) or '–'}"
        for name in ("replication", "silver", "merge")
    ]
    yield "lag", Text(" → ".join(parts))
    yield "replication", Text(f"{found.replication['status']}, generation {found.replication['generation']}")
    unseen = {name for one in found.findings if one.code == "MED-ENV-013" for name in one.where.split(", ")}
    yield "last run", Text("unknown" if "last run" in unseen else _run_line(found.last_run))
    for one in found.running:
        yield "running", Text(_running_line(one), "bold")
    on = [one["name"] for one in found.schedules if one["enabled"]]
    yield "schedules", Text("unknown" if "schedules" in unseen else f"on: {', '.join(on)}" if on else "off")
    most = len(found.engines) if wide else 2
    for place in range(0, len(found.engines), max(most, 1)):
        engines = Text()
        for engine in found.engines[place : place + most]:
            mark = "green" if engine.healthy else "red"
            engines.append("● ", mark).append(f"{engine.engine} {engine.state}   ")
        yield "" if place else "engines", engines
    if found.quarantine:
        kept = ", ".join(f"{one['table']} {one['rows']:,}" for one in found.quarantine)
        yield "quarantine", Text(f"{kept} rows")


def _run_line(run: dict[str, Any] | None) -> str:
    if run is None:
        return "none yet"
    cause = f": {run['cause']}" if run["cause"] else ""
    return f"{run['run_id']} {run['status'].lower()}, {run['seconds']} s{cause}"


def _running_line(one: dict[str, Any]) -> str:
    if one["what"] != "run":
        return f"{one['what']} by {one['by']} since {one['since'][:19].replace('T', ' ')}"
    usual = f" of about {one['usual_seconds']:.0f} s" if one["usual_seconds"] else ""
    return (
        f"{one['run_id']}: {one['state']} ({one['phase']} of {one['phases']}), {one['seconds']:.0f} s{usual}"
    )


def _labelled(label: str, text: Text) -> Text:
    return Text.assemble((f"{label:<12} ", "dim"), text)


def _verdict(found: Status) -> Text:
    return Text("healthy", "green") if found.healthy else Text("not healthy", "red")


def finding_lines(findings: Iterable[Finding]) -> Iterator[Text]:
    """Two lines a finding: what is wrong, and what to type."""
    for one in findings:
        mark, style = MARKS[one.severity]
        told = one.evidence if one.evidence.startswith(one.title) else f"{one.title}: {one.evidence}"
        yield Text.assemble((f"{mark} ", style), (one.code, "bold"), f" {told}")
        yield Text.assemble("  ", ("try ", "dim"), one.remedy)


def detailed(findings: Iterable[Finding]) -> Iterator[Text]:
    """Findings with their consequence."""
    for one in findings:
        mark, style = MARKS[one.severity]
        yield Text.assemble((f"{mark} ", style), (one.code, "bold"), f" {one.title}")
        yield Text(f"  {one.evidence}")
        yield Text(f"  {one.consequence}", "dim")
        safe = ("   (doctor --fix does it)", "dim") if one.safe_to_fix else ""
        yield Text.assemble("  ", ("try ", "dim"), one.remedy, safe)


def run_lines(terminal: Terminal, run: RunView) -> list[Text]:
    """A run: how it ended, its timeline, what it moved, quality and cost."""
    style = "green" if run.status == "SUCCEEDED" else "red" if run.cause else "yellow"
    began = run.started_at[:19].replace("T", " ")
    lines = [
        Text.assemble(
            (run.run_id, "bold"), " ", (run.status.lower(), style), f", {run.seconds} s, began {began}"
        )
    ]
    lines += [Text(f"  {run.cause}", "red")] if run.cause else []
    lines += [Text(), *gantt(run.stages, terminal.out.width if terminal.out.is_terminal else 100)]
    moved = [
        r
        for r in run.tables
        if r["read"] or r["inserted"] or r["updated"] or r["deleted"] or r["quarantined"]
    ]
    columns = ("layer", "table", "read", "inserted", "updated", "deleted", "quarantined")
    if moved:
        lines += [Text(), *terminal.table(columns, [tuple(r[c] for c in columns) for r in moved])]
    if run.quality:
        names = tuple(dict.fromkeys(name for rule in run.quality for name in rule if name != "sample"))
        lines += [
            Text(),
            *terminal.table(names, [tuple(_short(rule.get(n)) for n in names) for rule in run.quality]),
        ]
    return [*lines, Text(), _cost(run.cost)]


def _short(value: object) -> object:
    return value if value is None or isinstance(value, int | str) else str(value)


def _cost(cost: dict[str, Any]) -> Text:
    parts = (
        f"Glue {cost['glue']:.4f}, warehouse {cost['warehouse']:.4f}, transitions {cost['transitions']:.4f}"
    )
    note = f"; {cost['note']}" if cost["note"] else ""
    return Text(
        f"on AWS about {cost['total']:.4f} {cost['currency']} ({parts}; prices as of {cost['as_of']}{note})",
        "dim",
    )


def gantt(stages: list[Stage], width: int) -> Iterator[Text]:
    """A line a stage: its name, a bar where and as long as it was, its seconds."""
    if not stages:
        return
    label = max(len(stage.name) for stage in stages)
    total = max(stage.ends for stage in stages) or 1.0
    room = max(10, min(width, 120) - label - 12)
    for stage in stages:
        left = min(room - 1, round(stage.begins / total * room))
        long = max(1, min(room - left, round((stage.ends - stage.begins) / total * room)))
        bar = " " * left + "━" * long
        style = "red" if stage.failed else "cyan"
        yield Text.assemble(
            f"{stage.name:<{label}} ", (f"{bar:<{room}}", style), f" {stage.ends - stage.begins:>7.1f} s"
        )
