"""Checks of the source: the instance, what it answers, its binary log, its schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from medallion_cli.aws.source import FULL
from medallion_cli.errors import MedallionError
from medallion_cli.operations import source_settings
from medallion_cli.operations.doctor.catalogue import finding
from medallion_cli.operations.doctor.rules import NotLooked

if TYPE_CHECKING:
    from medallion_cli.operations.doctor.look import Look
    from medallion_cli.operations.doctor.rules import Finding


def database(look: Look) -> Iterator[Finding]:
    """The instance, as RDS sees it."""
    found, name = look.database, look.outputs["DatabaseIdentifier"]
    if look.paused is not None:
        raise NotLooked
    if found.answers or (found.is_coming and found.status != "stopping"):
        return
    code = "MED-SRC-004" if found.status == "storage-full" else "MED-SRC-001"
    yield finding(code, f"{name} is {found.status} {found.reason}", where="source")


def answers(look: Look) -> Iterator[Finding]:
    """Whether the database answers the tool, and takes the replication user."""
    if look.source is None:
        raise NotLooked
    try:
        found = look.source.answer()
    except MedallionError as error:
        if error.hint and "medallion up" in error.hint:
            raise
        code = "MED-SRC-004" if FULL.search(str(error)) else "MED-SRC-002"
        yield finding(code, str(error), where="source")
        return
    if found.get("replication_user") is False:
        yield finding(
            "MED-SRC-003", "its password or its account is not the one of the secret", where="source"
        )


def binlog(look: Look) -> Iterator[Finding]:
    """The server's settings, and whether it still has the binlog that replication goes on from."""
    if look.source is None:
        raise NotLooked
    try:
        found = look.source.answer()
    except MedallionError:
        raise NotLooked from None  # told by `answers`
    settings, files = found["settings"], found["files"] if look.task.started else []
    hours = source_settings.retention(settings)
    if hours is not None and hours < source_settings.LEAST_HOURS:
        what = f"binlog retention {hours:g} h, needs ≥ {source_settings.LEAST_HOURS} h"
        yield finding("MED-DMS-003", what, where="source")
    if wrong := list(source_settings.wrong_values(settings)):
        yield finding("MED-DMS-033", "; ".join(wrong), where="source")
    needed = look.task.binlog
    if files and needed and look.task.status != "running" and _number(needed) < _number(files[0]):
        yield finding(
            "MED-DMS-032", f"it goes on from {needed}, the oldest is {files[0]}", where="replication"
        )


def _number(name: str) -> int:
    return int(name.rpartition(".")[2])
