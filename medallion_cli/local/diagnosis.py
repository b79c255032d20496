"""What of this machine keeps an environment from working, seen without starting anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medallion_cli.errors import MedallionError
from medallion_cli.local import lifecycle, surroundings
from medallion_cli.local.space import free_megabytes, shortage

Kind = Literal["stopped", "disk", "java", "port", "version"]
SPARE_MEGABYTES = 256  # with less, the next run may not get through


@dataclass(frozen=True)
class Symptom:
    """One thing, in words; `remedy` where it has one of its own."""

    kind: Kind
    text: str
    remedy: str = ""


def symptoms(state: Path) -> Iterator[Symptom]:
    """Everything that can be seen from outside."""
    yield from _disk(state)
    yield from _java()
    running = lifecycle.endpoint(state) is not None
    if state.exists() and not running:
        yield Symptom("stopped", f"no daemon serves {state}")
        yield from _port(state)
    if running and (told := surroundings.another_program(lifecycle.program(state))):
        yield Symptom("version", told, "medallion local stop && medallion local start")


def away(state: Path) -> Iterator[Symptom]:
    """What stands in the way of asking an environment anything: it does not run, or its disk is full."""
    if shortage(state):
        yield from _disk(state)
    if lifecycle.endpoint(state) is None:
        yield Symptom("stopped", f"no daemon serves {state}")
        yield from _port(state)


def _disk(state: Path) -> Iterator[Symptom]:
    folder = next((path for path in (state, *state.parents) if path.exists()), Path("/"))
    if (free := free_megabytes(folder)) < SPARE_MEGABYTES:
        yield Symptom("disk", f"{folder}: {free} MB free", str(folder))


def _java() -> Iterator[Symptom]:
    from medallion_cli.local.engines.spark import iceberg_jar, java

    try:
        java()
        iceberg_jar()
    except MedallionError as error:
        yield Symptom("java", str(error))


def _port(state: Path) -> Iterator[Symptom]:
    """The port that it had, when somebody else has taken it: the next start takes another."""
    from medallion_cli.local.server import bindable

    try:
        port = int(json.loads((state / "endpoint.json").read_text())["port"])
    except (OSError, ValueError, KeyError):
        return
    if not bindable(port):
        yield Symptom("port", f"port {port} of the embedded AWS is taken by another program")
