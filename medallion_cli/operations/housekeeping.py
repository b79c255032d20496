"""Housekeeping: silver's files and snapshots, retention of bronze and staging; now, as its schedule does every night."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event
from medallion_cli.operations import run as runs

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings


def housekeeping(
    target: Target, outputs: dict[str, str], settings: Settings
) -> Generator[Event, None, dict[str, Any]]:
    """Runs it through the state machine, which tells the job what gold still reads; the job's step file."""
    result = yield from runs.run(target, outputs, settings, runs.RunPlan(("housekeeping",), (), ()))
    assert result.run_id is not None
    found = runs.read_step(target, outputs, result.run_id, "housekeeping")
    if found is None:
        raise MedallionError(f"{result.run_id} wrote no result", hint="medallion status")
    return found
