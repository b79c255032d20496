"""Is it healthy, what broke, why, and what to type now: status, doctor, logs, runs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from medallion_cli import durations
from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.errors import AwsError, CheckFailed, UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from medallion_cli.aws.logs import Line
    from medallion_cli.operations.doctor.diagnose import Diagnosis
    from medallion_cli.operations.doctor.look import Look
    from medallion_cli.operations.doctor.rules import Finding
    from medallion_cli.operations.logs import Cause, Query
    from medallion_cli.operations.status import Status

WATCH_SECONDS = 2.0
UNREACHED = ("MED-ENV-010", "MED-ENV-004", "MED-ENV-014")  # with these on this machine there is no AWS to ask
doctor_app = typer.Typer(
    invoke_without_command=True, help="What is wrong, why it matters, and the command that mends it."
)
runs_app = typer.Typer(invoke_without_command=True, help="Runs: the list of them, and one in full.")
Deep = Annotated[bool, typer.Option("--deep", help="Ask the warehouse too; on AWS that wakes it, and costs.")]


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    app.command()(status)
    app.add_typer(doctor_app, name="doctor")
    app.command()(logs)
    app.add_typer(runs_app, name="runs")


def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Redraw until Ctrl-C.")] = False,
    deep: Deep = False,
) -> None:
    """One screen: rows and freshness of every layer, lag, what runs, what is wrong. Exit 3 when stale or unhealthy."""
    call = invocation(context)
    from medallion_cli.commands.screens import status_lines

    if watch and not call.terminal.wants_json:
        call.terminal.watch(_frames(call, deep))
        return
    found = _status(call, deep)
    if call.terminal.wants_json:
        call.terminal.document(found.document)
    else:
        call.terminal.lines(status_lines(call.terminal, found))
    if not found.healthy:
        first = found.errors[0]
        more = f" (and {len(found.errors) - 1} more)" if len(found.errors) > 1 else ""
        raise CheckFailed(f"{first}{more}", hint=first.remedy)


def _frames(call: Invocation, deep: bool) -> Iterator[list[Text]]:
    """Without end; an embedded AWS that is started again meanwhile has another address."""
    from medallion_cli.commands.screens import frame_lines

    while True:
        found = _status(call, deep)
        yield frame_lines(call.terminal, found)
        if not found.layers:
            vars(call).pop("target", None)
        time.sleep(max(WATCH_SECONDS, call.settings.poll_seconds))


def _status(call: Invocation, deep: bool) -> Status:
    """What one screen shows; it starts nothing."""
    from medallion_cli.commands import local
    from medallion_cli.operations.status import status as look_at
    from medallion_cli.operations.status import unreached

    look = local.away(call) or _look(call, deep)
    found = unreached(call.env, look) if isinstance(look, list) else look_at(look)
    return replace(found, findings=_spelled(call, found.findings))


def _look(call: Invocation, deep: bool) -> Look | list[Finding]:
    """For one screen: what two checks ask is asked once. Or why nothing can be asked."""
    from medallion_cli.operations.deploy import outputs
    from medallion_cli.operations.doctor.catalogue import finding
    from medallion_cli.operations.doctor.environment import refused
    from medallion_cli.operations.doctor.look import Look

    target = call.target.asked_once()
    try:
        found = outputs(target)
    except AwsError as error:
        return [refused(error)]
    if "StateMachineArn" not in found:
        return [finding("MED-ENV-014", f"no stacks of {call.settings.prefix}")]
    return Look(target, found, call.settings, call.pipeline, deep)


def _at_work(call: Invocation, deep: bool) -> Look:
    """For what changes the environment and waits for it."""
    from medallion_cli.operations.doctor.look import Look

    return Look(call.target, call.outputs, call.settings, call.pipeline, deep)


def _spelled(call: Invocation, findings: list[Finding]) -> list[Finding]:
    """Remedies as one types them here: with the environment and the project."""
    words = call.command("").strip()
    return [one.tried(words) for one in findings]


@doctor_app.callback()
def doctor(
    context: typer.Context,
    fix: Annotated[bool, typer.Option("--fix", help="Do what is safe, and say what was done.")] = False,
    deep: Deep = False,
) -> None:
    """Look for what is wrong: each finding with evidence, consequence and what to type. Exit 3 with findings."""
    if context.invoked_subcommand is not None:
        return
    call = invocation(context)
    found = _diagnosed(call, fix, deep)
    made = []
    if fix and any(one.safe_to_fix for one in found.findings):
        from medallion_cli.operations.doctor.fixes import fix as mend

        made = call.terminal.follow(mend(_at_work(call, deep), found.findings))
        found = _diagnosed(call, fix, deep)
    findings = _spelled(call, found.findings)
    if call.terminal.wants_json:
        call.terminal.document({**found.document, "findings": findings, "fixed": made})
    else:
        _show_findings(call, replace(found, findings=findings))
    if not found.healthy:
        errors = [one for one in findings if one.severity == "error"]
        raise CheckFailed(f"{len(errors)} found: {errors[0].code}", hint=errors[0].remedy)


def _diagnosed(call: Invocation, fix: bool, deep: bool) -> Diagnosis:
    """This machine first: an embedded AWS that does not run is started by nobody but `--fix`."""
    from medallion_cli.commands import local
    from medallion_cli.operations.doctor.diagnose import Diagnosis, diagnose, merged

    here = local.seen(call)
    if fix and any(one.code == "MED-ENV-010" for one in here):
        local.reach(call)
        here = [one for one in here if one.code not in ("MED-ENV-010", "MED-ENV-006")]
    if any(one.code in UNREACHED for one in here):
        return Diagnosis(call.env, merged(here), [])
    look = _look(call, deep)
    if isinstance(look, list):
        return Diagnosis(call.env, merged([*here, *look]), [])
    found = call.terminal.follow(diagnose(look))
    return replace(found, findings=merged([*here, *found.findings]))


def _show_findings(call: Invocation, found: Diagnosis) -> None:
    from medallion_cli.commands.screens import detailed

    call.terminal.lines(detailed(found.findings))
    skipped = f"; not looked at: {', '.join(found.skipped)}" if found.skipped else ""
    told = f"{len(found.passed)} checks found nothing{skipped}"
    call.terminal.line(told if found.passed else "nothing else was looked at", "dim")


@doctor_app.command("explain")
def explain(
    context: typer.Context, code: Annotated[str, typer.Argument(help="As a finding shows it: MED-DMS-030.")]
) -> None:
    """What a code means, what follows from it, and what to type."""
    call = invocation(context)
    from medallion_cli.operations.doctor.explain import explain as look_up
    from medallion_cli.operations.doctor.explain import shown

    rule = shown(look_up(code))
    if call.terminal.wants_json:
        call.terminal.document(rule)
        return
    call.terminal.line(f"{rule.code}  {rule.title}", "bold")
    call.terminal.line(rule.consequence)
    call.terminal.line(f"try  {rule.remedy}")
    for text in (rule.note, "medallion doctor --fix does it by itself." if rule.safe else ""):
        if text:
            call.terminal.line(text, "dim")


def logs(
    context: typer.Context,
    where: Annotated[
        str | None,
        typer.Argument(
            help="source, bronze, silver, gold; dms, glue, lambda, redshift, stepfunctions, mysql, engines."
        ),
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", help="Only of this run; of a failed one, its cause first.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C; with -o json one document a line.")
    ] = False,
    since: Annotated[str, typer.Option("--since", help="How far back: 30min, 1h, 2d.")] = "1h",
    grep: Annotated[
        str | None, typer.Option("--grep", "-g", help="Only lines that match this regular expression.")
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="At most so many, the newest.")] = 200,
) -> None:
    """Lines of the right log groups. Of a failed run (the last one, when nothing is named) the cause comes first."""
    call = invocation(context)
    from medallion_cli.operations import logs as reading

    query, why = _wanted(call, where, run_id, since, grep, looks_back=not follow)
    if follow:
        _follow(call, query, None if run_id else where)
        return
    found = reading.read(call.target, query)[-lines:]
    if call.terminal.wants_json:
        call.terminal.document({"cause": why, "lines": found})
        return
    if why is not None:
        _show_cause(call, why)
    if why is None or where or grep:
        for line in found:
            call.terminal.line(_line(line))
    elif found:
        shown = f"medallion logs {where or 'glue'} --run {why.run_id}"
        call.terminal.say(f"{len(found)} lines of the run: {shown}")


def _wanted(
    call: Invocation, where: str | None, run_id: str | None, since: str, grep: str | None, *, looks_back: bool
) -> tuple[Query, Cause | None]:
    """Which lines, and the cause when they are those of a failed run: the last one where nothing is named."""
    from medallion_cli.operations import logs as reading

    place = (call.target, call.outputs)
    groups = reading.groups(*place, call.settings, where)
    pattern = _pattern(grep)
    try:
        begins = datetime.now(UTC) - timedelta(seconds=durations.seconds(since))
    except ValueError as error:
        raise UsageError(f"--since: {error}", hint=call.command("logs --since 1h")) from None
    is_open = where is None and looks_back
    run = reading.of_run(*place, run_id) if run_id else reading.failed(*place) if is_open else None
    if run is None:
        streams = reading.recent_streams(*place, where, begins)
        return reading.Query(groups, begins, streams=streams, grep=pattern), None
    why = reading.cause(*place, call.settings, run)
    return reading.Query(groups, grep=pattern, **reading.window(*place, run, where)), why


def _pattern(grep: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(grep, re.IGNORECASE) if grep else None
    except re.error as error:
        raise UsageError(f"--grep: {error}", hint="medallion logs --grep 'error|exception'") from None


def _follow(call: Invocation, query: Query, layer: str | None) -> None:
    """Until Ctrl-C; of a layer also the lines of jobs that begin meanwhile."""
    from medallion_cli.operations import logs as reading

    def streams() -> tuple[str, ...]:
        return reading.recent_streams(call.target, call.outputs, layer, query.since)

    try:
        for line in reading.follow(call.target, query, streams if layer in reading.JOBS else None):
            if call.terminal.wants_json:
                call.terminal.record(line)
            else:
                call.terminal.line(_line(line))
    except KeyboardInterrupt:
        return


def _line(line: Line) -> str:
    return f"{line.at:%Y-%m-%d %H:%M:%S}  {line.group.rpartition('/')[2]}  {line.text}"


def _show_cause(call: Invocation, why: Cause) -> None:
    state = f" in “{why.state}”" if why.state else ""
    call.terminal.line(f"{why.run_id} {why.status.lower()}{state}", "bold red")
    call.terminal.line(f"  {why.cause}")
    for text in why.more:
        call.terminal.line(f"  {text}", "dim")
    if why.code:
        call.terminal.line(f"  {why.code}: {call.command(f'doctor explain {why.code}')}")


@runs_app.callback()
def runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many.")] = 20,
) -> None:
    """The newest runs, newest first."""
    if context.invoked_subcommand is not None:
        return
    call = invocation(context)
    from medallion_cli.operations.runs import recent

    found = recent(call.target, call.outputs, limit)
    rows = [
        (one.run_id, one.status.lower(), one.started_at.astimezone(UTC), round(one.seconds, 1))
        for one in found
    ]
    if call.terminal.wants_json:
        names = ("run_id", "status", "started_at", "seconds")
        call.terminal.document(
            [dict(zip(names, (one[0], one[1].upper(), *one[2:]), strict=True)) for one in rows]
        )
    else:
        shown = [(i, s, f"{at:%Y-%m-%d %H:%M:%S}", seconds) for i, s, at, seconds in rows]
        call.terminal.rows(None, ("run", "status", "started", "seconds"), shown)


@runs_app.command("show")
def show(
    context: typer.Context,
    run_id: Annotated[str | None, typer.Argument(help="The run; default the last one.")] = None,
) -> None:
    """One run: its timeline, rows, quality and what it cost."""
    call = invocation(context)
    from medallion_cli.commands.screens import run_lines
    from medallion_cli.operations import runs as reading

    if run_id is None:
        newest = reading.recent(call.target, call.outputs, 1)
        if not newest:
            raise UsageError("nothing has run yet", hint=call.command("run"))
        run_id = newest[0].run_id
    found = reading.show(call.target, call.outputs, call.settings, call.assets, run_id)
    if call.terminal.wants_json:
        call.terminal.document(found.document)
        return
    call.terminal.lines(run_lines(call.terminal, found))
