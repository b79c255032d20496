"""What a run's jobs have done so far, by the lines that they write: tables that are through, rows, rate, and what is left."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.jobs import job_runs
from medallion_cli.aws.logs import lines
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Progressed, Started

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings

JOBS = {"Bronze to silver": "BronzeToSilverJob", "Silver to gold": "SilverToGoldJob"}
# The lines that bronze_to_silver.py and silver_to_gold.py print.
LINE = re.compile(r"^(\w+): (?:\w+, read (\d+), live \d+|(\d+) upserts, (\d+) deletes)")
LOOK_SECONDS = 2.0  # between looks into the log


class Progress:
    """The jobs of one run; `arrived` are the rows that bronze brought (`table`, `read`), as far as they are known."""

    def __init__(
        self,
        target: Target,
        outputs: dict[str, str],
        settings: Settings,
        run_id: str,
        arrived: list[dict[str, Any]],
    ) -> None:
        self.target, self.outputs, self.settings, self.run_id = target, outputs, settings, run_id
        self.expected = {row["table"]: int(row["read"]) for row in arrived}
        self.began: dict[str, float] = {}
        self.through: dict[str, dict[str, int]] = {}
        self.due = 0.0

    def look(self, phase: str) -> Iterator[Event]:
        """What is new in a phase; nothing of one that is no job, or whose log can't be read."""
        if phase not in JOBS or time.monotonic() < self.due:
            return
        if phase not in self.began:
            self.began[phase] = time.monotonic()
            self.through[phase] = {}
            names = self.expected if phase == "Bronze to silver" else ()
            yield from (Started(name, phase) for name in names)
        self.due = time.monotonic() + LOOK_SECONDS
        try:
            told = list(self._told(phase))
        except MedallionError:
            return  # progress is a kindness: the run goes on without it
        for name, rows in told:
            if name not in self.through[phase]:
                self.through[phase][name] = rows
                yield Finished(name, f"{rows:,} rows", phase)
        if told:
            yield self._progressed(phase)

    def _told(self, phase: str) -> Iterator[tuple[str, int]]:
        """(table or model, rows) of the job's lines."""
        runs = job_runs(self.target, self.outputs[JOBS[phase]], 5)
        streams = [run.id for run in runs if run.run_id == self.run_id]
        if not streams:
            return
        since = datetime.now(UTC) - timedelta(hours=12)
        group = f"/aws-glue/{self.settings.prefix}/output"
        for line in lines(self.target, group, since, None, streams):
            if match := LINE.match(line.text):
                yield match[1], sum(int(n) for n in match.groups()[1:] if n)

    def _progressed(self, phase: str) -> Progressed:
        done, took = self.through[phase], time.monotonic() - self.began[phase]
        rows = sum(done.values())
        total = sum(self.expected.values()) if phase == "Bronze to silver" else 0
        rate = rows / took if took > 0 else 0.0
        left = (total - rows) / rate if total > rows and rate else None
        return Progressed(phase, rows, total or None, f"rows, {rate:,.0f} a second", left)
