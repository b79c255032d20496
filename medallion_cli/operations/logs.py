"""Logs: the log groups of a layer or component, the lines of one run, and of a failed run its cause before anything else."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.jobs import JobRun, job_runs
from medallion_cli.aws.logs import Line, lines
from medallion_cli.aws.orchestration import Execution, StateMachine
from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.operations.doctor.causes import code_of
from medallion_cli.operations.run import explain, read_step

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings

BAD = ("FAILED", "TIMED_OUT", "ABORTED")
CAUGHT = "Read silver of the failed run"  # the state that every Catch leads to
AGAIN = "Look for other runs"  # where one that failed begins anew when it is redriven
# States of state_machine.yaml that wait, look, decide or tell for the one before them: no run fails in these.
ASIDE = re.compile(r"(Wait|Look at|Is|Are|Copy|Copied|A statement|Another run|Replication does)\b")
FOLLOW_SECONDS = 2.0
MARGIN = timedelta(minutes=1)  # around a run: services write late
# a layer, or a component → log groups; {prefix}, {source} and {generator} are filled in
GROUPS: dict[str, tuple[str, ...]] = {
    "source": ("/aws/rds/instance/{prefix}-source/error", "/aws/lambda/{source}"),
    "bronze": ("dms-tasks-{prefix}-replication",),
    "silver": ("/aws-glue/{prefix}/error", "/aws-glue/{prefix}/output"),
    "gold": (
        "/aws-glue/{prefix}/error",
        "/aws-glue/{prefix}/output",
        "/aws/redshift/{prefix}-warehouse/useractivitylog",
    ),
    "dms": ("dms-tasks-{prefix}-replication",),
    "glue": ("/aws-glue/{prefix}/error", "/aws-glue/{prefix}/output"),
    "lambda": ("/aws/lambda/{source}", "/aws/lambda/{generator}"),
    "redshift": tuple(
        f"/aws/redshift/{{prefix}}-warehouse/{log}" for log in ("useractivitylog", "connectionlog")
    ),
    "stepfunctions": ("/aws/vendedlogs/states/{prefix}-run",),
    "mysql": ("/aws/rds/instance/{prefix}-source/error", "/aws/rds/instance/{prefix}-source/slowquery"),
    "engines": ("/medallion/engines",),
}
JOBS = {"silver": ("BronzeToSilverJob",), "gold": ("SilverToGoldJob",)}
# A Java or Python exception's own line, the innermost cause last.
EXCEPTION = re.compile(
    r"^(?:Caused by: )?((?:[\w$]+\.)*[A-Z][\w$]*(?:Exception|Error|Failed)\b: .+|SystemExit: .+)$"
)


@dataclass(frozen=True)
class Cause:
    """Why a run failed: the state it failed in, the cause in one line, and lines that say more."""

    run_id: str
    status: str
    state: str
    code: str | None
    cause: str
    more: list[str]

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Query:
    """Which lines are wanted."""

    groups: tuple[str, ...]
    since: datetime
    until: datetime | None = None
    streams: tuple[str, ...] = ()  # how their names begin
    grep: re.Pattern[str] | None = None

    def takes(self, line: Line) -> bool:
        """Whether a line is one of them."""
        return bool(line.text) and (self.grep is None or bool(self.grep.search(line.text)))


def groups(target: Target, outputs: dict[str, str], settings: Settings, where: str | None) -> tuple[str, ...]:
    """The log groups of a layer or component; UsageError lists those there are. None: all that a run writes."""
    if where is not None and where not in GROUPS:
        raise UsageError(f"no logs of {where!r}", hint=f"one of: {', '.join(GROUPS)}")
    names = {
        "prefix": settings.prefix,
        "source": outputs.get("SourceFunctionName", ""),
        "generator": outputs.get("GeneratorFunctionName", ""),
    }
    wanted = GROUPS[where] if where else (*GROUPS["bronze"], *GROUPS["glue"], *GROUPS["stepfunctions"])
    return tuple(dict.fromkeys(name.format(**names) for name in wanted))


def of_run(target: Target, outputs: dict[str, str], run_id: str) -> Execution:
    """The execution of a run; UsageError when there is none of that id."""
    found = StateMachine(target, outputs).named(run_id)
    if found is None:
        raise UsageError(f"no run {run_id!r}", hint="medallion runs")
    return found


def failed(target: Target, outputs: dict[str, str]) -> Execution | None:
    """The newest run, when it failed."""
    newest = StateMachine(target, outputs).latest()
    return newest if newest is not None and newest.status in BAD else None


def window(target: Target, outputs: dict[str, str], run: Execution, where: str | None) -> dict[str, Any]:
    """`since`, `until` and `streams` of a run's lines: those of its own jobs, as far as they are jobs' logs."""
    until = run.stopped_at + MARGIN if run.stopped_at else None
    jobs = _jobs(target, outputs, run, where)
    return {"since": run.started_at - MARGIN, "until": until, "streams": tuple(job.id for job in jobs)}


def recent_streams(
    target: Target, outputs: dict[str, str], where: str | None, since: datetime
) -> tuple[str, ...]:
    """The streams of a layer's own jobs since a moment; () where a layer has the group to itself."""
    names = JOBS.get(where or "", ())
    found = [job for name in names for job in job_runs(target, outputs[name], since=since - MARGIN)]
    young = [job.id for job in found if job.started_at is not None and job.started_at >= since - MARGIN]
    return tuple(young or ["none"]) if names else ()


def _jobs(target: Target, outputs: dict[str, str], run: Execution, where: str | None) -> list[JobRun]:
    names = JOBS.get(where or "", (*JOBS["silver"], *JOBS["gold"]))
    found = (job for name in names for job in job_runs(target, outputs[name], since=run.started_at))
    return [job for job in found if job.run_id == run.run_id]


def read(target: Target, query: Query) -> list[Line]:
    """All lines, by time."""
    found = [line for group in query.groups for line in _of_group(target, query, group)]
    return sorted(found, key=lambda line: line.at)


def _of_group(target: Target, query: Query, group: str) -> Iterator[Line]:
    """Streams are names of job runs: other groups have others."""
    streams = query.streams if group.startswith("/aws-glue/") else ()
    found = lines(target, group, query.since, query.until, streams)
    return (line for line in found if query.takes(line))


def follow(
    target: Target, query: Query, streams: Callable[[], tuple[str, ...]] | None = None
) -> Iterator[Line]:
    """Lines as they are written, until the caller ends it; `streams` tells those of jobs that have begun meanwhile."""
    seen: set[tuple[str, str, str, str]] = set()
    since = query.since
    while True:
        named = streams() if streams else query.streams
        for line in read(target, Query(query.groups, since, None, named, query.grep)):
            key = (line.group, line.stream, line.id, line.text)
            if key not in seen:
                seen.add(key)
                since = max(since, line.at - MARGIN)
                yield line
        time.sleep(FOLLOW_SECONDS)


def cause(target: Target, outputs: dict[str, str], settings: Settings, run: Execution) -> Cause | None:
    """Why a run failed; None of one that did not."""
    if run.status not in BAD:
        return None
    summary = read_step(target, outputs, run.run_id, "summary") or {}
    told = explain(run, summary)
    state = failed_state(StateMachine(target, outputs).entered(run.arn))
    more = _exceptions(target, outputs, settings, run)
    if run.error == "Medallion.CopyFailed":
        more = [*_load_errors(target, outputs, settings, run), *more]
    return Cause(run.run_id, run.status, state, code_of(f"{run.error} {told}"), told, more[:5])


def failed_state(entered: Sequence[tuple[int, str]]) -> str:
    """The state before the one that the last failure leads to; the last one of a run that was cut off."""
    names = [name for _, name in entered]
    end = max((place for place, name in enumerate(names) if name == CAUGHT), default=len(names))
    if AGAIN in names[end:]:
        end = len(names)
    return next((name for name in reversed(names[:end]) if not ASIDE.match(name)), "")


def _exceptions(target: Target, outputs: dict[str, str], settings: Settings, run: Execution) -> list[str]:
    """The exceptions' own lines of the jobs that failed, innermost first, each once."""
    failed = [job for job in _jobs(target, outputs, run, None) if job.state in ("FAILED", "ERROR", "TIMEOUT")]
    if not failed:
        return []
    asked = window(target, outputs, run, None) | {"streams": tuple(job.id for job in failed)}
    names = groups(
        target, outputs, settings, "glue"
    )  # a traceback on stderr is in `output`, Spark's own in `error`
    found = read(target, Query(names, **asked))
    return exceptions(line.text for line in found)


def exceptions(texts: Iterator[str]) -> list[str]:
    """The lines of a log that are an exception's own, the last (innermost) first."""
    own = [
        match[1] for text in texts for line in text.splitlines() if (match := EXCEPTION.match(line.strip()))
    ]
    return list(dict.fromkeys(reversed(own)))


def _load_errors(target: Target, outputs: dict[str, str], settings: Settings, run: Execution) -> list[str]:
    """What Redshift says of the files and columns that a COPY refused."""
    from medallion_cli.aws.warehouse import connect

    sql = (
        "SELECT file_name, line_number, column_name, error_message FROM sys_load_error_detail "
        "WHERE start_time >= CAST(:since AS TIMESTAMP) ORDER BY start_time DESC LIMIT 5"
    )
    since = f"{run.started_at:%Y-%m-%d %H:%M:%S}"
    try:
        with closing(connect(target, outputs, settings.connection)) as warehouse:
            found = warehouse.execute(sql, {"since": since}).dicts()
    except MedallionError:
        return []
    return [_load_error(one) for one in found]


def _load_error(found: dict[str, Any]) -> str:
    """`file line 3, column price: why`; a columnar file has no lines."""
    at = f" line {found['line_number']}" if found["line_number"] else ""
    column = f", column {found['column_name']}" if found["column_name"] else ""
    return " ".join(f"{found['file_name']}{at}{column}: {found['error_message']}".split())
