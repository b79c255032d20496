"""Checks of replication: the task, its tables, its instance, its lag."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from medallion_cli.aws.replication import BROKEN
from medallion_cli.operations.doctor.catalogue import finding
from medallion_cli.operations.doctor.rules import NotLooked

if TYPE_CHECKING:
    from medallion_cli.operations.doctor.look import Look
    from medallion_cli.operations.doctor.rules import Finding

LATE_SECONDS = 900.0
PURGED = re.compile(
    r"purged|\b1236\b|position is not available|could not find first log file|binlog truncated", re.IGNORECASE
)


def task(look: Look) -> Iterator[Finding]:
    """The task runs, or somebody said why not."""
    found = look.replication
    if look.paused is not None or look.worked_on:
        raise NotLooked
    if found.status in ("running", "starting", "modifying", "creating"):
        return
    said = found.message or found.stop_reason
    if PURGED.search(said):
        yield finding("MED-DMS-032", said, where="replication")
    elif found.status == "failed":
        yield finding("MED-DMS-031", f"replication is failed: {said}", where="replication")
    elif look.task.started:
        told = f"replication is {found.status}, generation {found.generation}"
        yield finding("MED-DMS-030", told, where="replication")
    else:
        yield finding("MED-DMS-036", f"replication is {found.status}", where="replication")


def tables(look: Look) -> Iterator[Finding]:
    """Tables that DMS has given up."""
    for table in look.replication.tables:
        if table.state in BROKEN:
            yield finding("MED-DMS-034", f"{table.table}: {table.state}", where=table.table)


def instance(look: Look) -> Iterator[Finding]:
    """The machine that DMS runs on."""
    if look.paused is not None or look.worked_on:
        raise NotLooked
    if look.instance not in ("available", "modifying", "upgrading", "maintenance"):
        yield finding("MED-DMS-037", f"the replication instance is {look.instance}", where="replication")


def lag(look: Look) -> Iterator[Finding]:
    """A task that runs and does not keep up."""
    late = look.latency if look.task.status == "running" else None
    if late is None:
        raise NotLooked
    if late > LATE_SECONDS:
        yield finding("MED-DMS-035", f"{late:.0f} s behind", where="replication")
