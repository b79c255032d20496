"""Whether the source database is there: nobody waits for it without a word."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.database import Database, Instance
from medallion_cli.aws.source import Source
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Noted, Progressed, Started

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings

PATIENCE = 1800.0  # seconds for RDS to start or stop an instance
LOOK_SECONDS = 0.5
ANSWER_SECONDS = 15.0  # for the source function to say whether the database answers


def ready(target: Target, outputs: dict[str, str], settings: Settings) -> Generator[Event, None, None]:
    """Returns once the database takes connections; says what it waits for. MedallionError when it will not by itself."""
    database = Database(target, outputs["DatabaseIdentifier"])
    found = database.instance()
    if found.is_coming:
        yield Noted(f"waiting for the source database {database.identifier}: {found.status}")
        found = yield from settled(database, settings)
    if not found.answers:
        hint = "medallion resume" if found.status in ("stopped", "stopping") else "medallion status"
        raise MedallionError(f"the source database {_told(database, found)}", hint=hint)


def started(target: Target, outputs: dict[str, str], settings: Settings) -> Generator[Event, None, None]:
    """Starts the database if it is stopped, and waits for it."""
    database = Database(target, outputs["DatabaseIdentifier"])
    if database.instance().status == "stopping":
        yield from settled(database, settings)
    if database.instance().status == "stopped":
        yield Started("source database")
        database.start()
        yield from settled(database, settings)
        yield Finished("source database", "started")
    yield from ready(target, outputs, settings)


def settled(database: Database, settings: Settings) -> Generator[Event, None, Instance]:
    """Waits until RDS's status is one that stays."""
    began = time.monotonic()
    while (found := database.instance()).is_coming:
        waited = time.monotonic() - began
        if waited > PATIENCE:
            raise MedallionError(f"the source database {_told(database, found)}", hint="medallion status")
        yield Progressed("source database", waited, None, f"s, {found.status}")
        time.sleep(min(settings.poll_seconds, 10) / 2)
    return found


def answering(target: Target, outputs: dict[str, str]) -> Generator[Event, None, None]:
    """MedallionError when the database refuses connections, or says nothing for ANSWER_SECONDS."""
    answer: list[Any] = []

    def ask() -> None:
        try:
            answer.append(Source(target, outputs["SourceFunctionName"]).call("reachable"))
        except MedallionError as error:
            answer.append(error)

    asking = threading.Thread(target=ask, name="reachable", daemon=True)
    asking.start()
    waited = 0.0
    while asking.is_alive():
        asking.join(LOOK_SECONDS)
        waited += LOOK_SECONDS
        if asking.is_alive() and waited >= ANSWER_SECONDS:
            told = f"the source database {outputs['DatabaseIdentifier']} does not answer"
            raise MedallionError(told, hint="medallion status")
        yield Progressed("source database", waited, None, "s, asked for an answer")
    if isinstance(answer[0], MedallionError):
        raise answer[0]
    if answer[0].get("replication_user") is False:
        raise MedallionError("the source refuses the replication user", hint="medallion up")


def _told(database: Database, found: Instance) -> str:
    return f"{database.identifier} is {found.status}{f': {found.reason}' if found.reason else ''}"
