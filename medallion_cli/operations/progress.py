"""What a run's jobs have done so far, by the lines that they write: tables that are through, rows, rate, and what is left."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.jobs import job_runs
from medallion_cli.aws.logs import lines
from medallion_cli.aws.orchestration import StateMachine
from medallion_cli.aws.replication import Replication
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Progressed, Started

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings

SILVER = "Bronze to silver"
JOBS = {SILVER: "BronzeToSilverJob", "Silver to gold": "SilverToGoldJob"}
# The lines that bronze_to_silver.py and silver_to_gold.py print.
LINE = re.compile(r"^(\w+): (?:taken, read (\d+)|(\d+) upserts, (\d+) deletes) in ([\d.]+) s")
LOOK_SECONDS = 2.0  # between looks into the log


class Progress:
    """The jobs of one run; `arrived` are its rows of bronze, a table each.

    What a job should take is known in rows where no run has taken any yet, else in seconds: as the last good one took.
    """

    def __init__(
        self,
        target: Target,
        outputs: dict[str, str],
        settings: Settings,
        run_id: str,
        arrived: list[dict[str, Any]],
    ) -> None:
        self.target, self.outputs, self.settings, self.run_id = target, outputs, settings, run_id
        self.names = [row["table"] for row in arrived]
        self.expected, self.usual = 0, 0.0
        self.began: dict[str, float] = {}
        self.first: datetime | None = None  # when the first table was begun: Spark needs its time to start
        self.through: dict[str, dict[str, int]] = {}
        self.due = 0.0

    def look(self, phase: str) -> Iterator[Event]:
        """What is new in a phase; nothing of one that is no job, or whose log can't be read."""
        if phase not in JOBS or time.monotonic() < self.due:
            return
        begins = phase not in self.began
        if begins:
            self.began[phase] = time.monotonic()
            self.through[phase], self.first = {}, None
            yield from (Started(name, phase) for name in (self.names if phase == SILVER else ()))
        self.due = time.monotonic() + LOOK_SECONDS
        try:
            if begins:
                self._expect(phase)
            told = list(self._told(phase))
        except MedallionError:
            return  # progress is a kindness: the run goes on without it
        for name, rows, seconds, ended in told:
            begun = ended - timedelta(seconds=seconds)
            self.first = min(self.first or begun, begun)
            if name not in self.through[phase]:
                self.through[phase][name] = rows
                yield Finished(name, with_rate(rows, seconds), phase, kept=True)
        if told or self.usual:
            yield self._progressed(phase)

    def _expect(self, phase: str) -> None:
        """Replication's counters tell of all that ever came: of what a run finds only before the first one."""
        self.expected, self.usual = 0, 0.0
        machine = StateMachine(self.target, self.outputs)
        good = machine.good()
        if good is not None:
            took = [(s.ended - s.began) for s in machine.spans(good.arn) if s.state == phase and s.ended]
            self.usual = took[-1].total_seconds() if took else 0.0
        elif phase == SILVER:
            tables = Replication(self.target, self.outputs).tables()
            self.expected = sum(t.full_load_rows + t.changes for t in tables if t.table in self.names)

    def _told(self, phase: str) -> Iterator[tuple[str, int, float, datetime]]:
        """(table or model, rows, seconds, when it was through) of the job's lines."""
        runs = job_runs(self.target, self.outputs[JOBS[phase]], 5)
        streams = [run.id for run in runs if run.run_id == self.run_id]
        if not streams:
            return
        since = datetime.now(UTC) - timedelta(hours=12)
        group = f"/aws-glue/{self.settings.prefix}/output"
        for line in lines(self.target, group, since, None, streams):
            if match := LINE.match(line.text):
                yield match[1], sum(int(n) for n in match.groups()[1:4] if n), float(match[5]), line.at

    def _progressed(self, phase: str) -> Progressed:
        done, took = self.through[phase], time.monotonic() - self.began[phase]
        rows = sum(done.values())
        total = self.expected if self.expected >= rows else 0
        moving = (datetime.now(UTC) - self.first).total_seconds() if self.first else 0.0
        moving = moving if 0 < moving < took else took
        rate = rows / moving if moving > 0 else 0.0
        left = (total - rows) / rate if total and rate else self.usual - took
        return Progressed(phase, rows, total or None, rate_unit(rows, moving), left if left > 0 else None)


def with_rate(rows: int, seconds: float) -> str:
    """`1,200 rows, 400 a second`."""
    return f"{rows:,} {rate_unit(rows, seconds)}"


def rate_unit(rows: int, seconds: float) -> str:
    """`rows, 400 a second`; no rate where nothing was moved, or in no time."""
    return f"rows, {rows / seconds:,.0f} a second" if rows and seconds > 0 else "rows"
