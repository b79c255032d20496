"""`pause` and `resume`: what works by itself stands still, and what can be stopped costs nothing until it goes on.

A mark, written before anything is changed and removed after everything is back, holds how it was. Each step looks at what is
there, so either command, typed again after whatever interrupted it, goes on. Redshift Serverless costs nothing while it idles.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from medallion_cli.aws import schedules
from medallion_cli.aws.database import Database
from medallion_cli.aws.replication import Instance, Replication, ReplicationInstance
from medallion_cli.aws.source import Source
from medallion_cli.errors import AwsError, MedallionError
from medallion_cli.events import Event, Finished, Noted, Progressed, Started
from medallion_cli.operations import marks, paused, replicate, run, source_database
from medallion_cli.operations.paused import SMALLEST, Paused

if TYPE_CHECKING:
    from medallion_cli.aws.schedules import Schedule
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings

SWITCHED = "schedules"  # the mark of what `--schedule` last said
INSTANCE = "replication instance"
LIMIT_DAYS = 7  # after which AWS starts a stopped database by itself


def switch(target: Target, outputs: dict[str, str], enabled: bool) -> list[Schedule]:
    """All schedules on or off, by hand; what is asked for meanwhile of a paused environment is kept for `resume`."""
    found = paused.read(target)
    if found is not None and enabled:
        paused.refuse(target)
    if found is not None:
        paused.write(target, replace(found, schedules=()))
    told = schedules.switch(target, outputs, enabled)
    marks.write(target, SWITCHED, "on" if enabled else "off")
    return told


def pause(target: Target, outputs: dict[str, str], settings: Settings) -> Generator[Event, None, Paused]:
    """Schedules off, the run in flight waited for, replication and database stopped, its instance made small."""
    mark = paused.read(target)
    if mark is None:
        mark = _now(target, outputs)
        paused.write(target, mark)
    else:
        yield Noted(f"paused since {mark.at:%Y-%m-%d %H:%M} UTC; what is left is done now")
    yield from _schedules(target, outputs, list(mark.schedules), enabled=False)
    yield from run.idle(target, outputs, settings)
    yield from replicate.stop(target, outputs, settings)
    mark = replace(mark, checkpoint=Replication(target, outputs).task().checkpoint or mark.checkpoint)
    paused.write(target, mark)
    yield from _resized(target, outputs, settings, SMALLEST)
    yield from _stopped(target, outputs, settings)
    return mark


def resume(target: Target, outputs: dict[str, str], settings: Settings) -> Generator[Event, None, bool]:
    """What `pause` did, backwards; False when nothing was paused.

    MedallionError when the source has dropped the binlog that replication would go on from: everything up to there is back,
    the schedules stay off until tables were loaded again.
    """
    mark = paused.read(target)
    if mark is None:
        return False
    yield from source_database.started(target, outputs, settings)
    if mark.size != SMALLEST:
        yield from _resized(target, outputs, settings, mark.size)
    if mark.replicating:
        _check_binlog(target, outputs, mark)
        yield from replicate.begin(target, outputs, settings)
    yield from _schedules(target, outputs, list(mark.schedules), enabled=True)
    paused.drop(target)
    return True


def _now(target: Target, outputs: dict[str, str]) -> Paused:
    on = tuple(s.name for s in schedules.schedules(target, outputs) if s.enabled)
    task = Replication(target, outputs).task()
    return Paused(
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        schedules=on,
        replicating=task.status in ("starting", "running"),
        size=ReplicationInstance(target, outputs).instance().size,
        checkpoint=task.checkpoint,
    )


def _schedules(
    target: Target, outputs: dict[str, str], were_on: list[str], *, enabled: bool
) -> Generator[Event, None, None]:
    """Off: all of them; on: those that were."""
    schedules.switch(target, outputs, enabled, were_on if enabled else None)
    word = "on" if enabled else "off"
    yield Finished("schedules", f"{', '.join(were_on)} {word}" if were_on else "off, as they were")


def _resized(
    target: Target, outputs: dict[str, str], settings: Settings, size: str
) -> Generator[Event, None, None]:
    """The replication instance in another class; one that DMS refuses to shrink stays as it is, and says so."""
    instance = ReplicationInstance(target, outputs)
    found = yield from _steady(instance, settings)
    if found.size != size:
        yield Started(INSTANCE)
        try:
            instance.resize(size)
        except AwsError as error:
            if size != SMALLEST:
                raise
            yield Noted(f"the replication instance stays {found.size} and costs on: {error}")
            return
        yield from _steady(instance, settings, size)
    yield Finished(INSTANCE, f"{size}, the smallest; DMS stops none" if size == SMALLEST else size)


def _steady(
    instance: ReplicationInstance, settings: Settings, size: str | None = None
) -> Generator[Event, None, Instance]:
    """Waits until the instance is available (in a class)."""
    began = time.monotonic()
    while (found := instance.instance()).status != "available" or (size and found.size != size):
        waited = time.monotonic() - began
        if waited > source_database.PATIENCE:
            hint = "look at it in DMS's console, then type the same command"
            raise MedallionError(f"the replication instance stays {found.status}", hint=hint)
        yield Progressed(INSTANCE, waited, None, f"s, {found.status}")
        time.sleep(min(settings.poll_seconds, 10) / 2)
    return found


def _stopped(target: Target, outputs: dict[str, str], settings: Settings) -> Generator[Event, None, None]:
    database = Database(target, outputs["DatabaseIdentifier"])
    found = database.instance()
    if found.is_coming:
        found = yield from source_database.settled(database, settings)
    if found.status == "stopped":
        yield Noted("the source database is stopped")
        return
    yield Started("source database")
    database.stop()
    found = yield from source_database.settled(database, settings)
    if found.status != "stopped":
        raise MedallionError(
            f"the source database {database.identifier} is {found.status}", hint="medallion pause"
        )
    again = datetime.now(UTC).date()
    yield Finished("source database", f"stopped on {again}; AWS starts it again after {LIMIT_DAYS} days")


def _check_binlog(target: Target, outputs: dict[str, str], mark: Paused) -> None:
    """MedallionError when the file that a stopped task would go on from is gone."""
    task = Replication(target, outputs).task()
    wanted = replace(task, checkpoint=task.checkpoint or mark.checkpoint).binlog
    if task.status in ("starting", "running") or not task.started or wanted is None:
        return
    files = Source(target, outputs["SourceFunctionName"]).call("binlogs")["files"]
    if not files or _number(files[0]) > _number(wanted):
        days = mark.lasts.total_seconds() / 86_400
        raise MedallionError(
            f"replication cannot go on: it stopped in {wanted}, which the source has purged "
            f"(paused for {days:.1f} days); every table has to be loaded again",
            hint="medallion replicate reload, then: medallion resume",
        )


def _number(file: str) -> int:
    """`mysql-bin-changelog.000024` → 24."""
    return int(file.rpartition(".")[2])
