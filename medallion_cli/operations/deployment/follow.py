"""Operations of several stacks at once: each is a generator that says when it only waits; one sleep serves all."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Failed, Finished, Progressed, Started
from medallion_cli.operations.deployment.failure import CANCELLED, failure
from medallion_cli.operations.deployment.graph import Graph

if TYPE_CHECKING:
    from medallion_cli.aws.cloudformation import Stack, StackEvent, Stacks
    from medallion_cli.operations.deployment.durations import Forecast

GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "IMPORT_COMPLETE")
LAUNCH_SECONDS = 60.0  # for the first event of an operation to show


@dataclass(frozen=True)
class Waiting:
    """Nothing new; worth another look after a pause."""


Steps = Generator[Event | Waiting, None, None]


def side_by_side(graph: Graph, begin: Callable[[str], Steps], pause: float) -> Generator[Event, None, None]:
    """Runs the steps of each as soon as those it waits for are done.

    When one fails nothing new is begun, what is under way is followed to its end, and then the first failure is raised.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    running: dict[str, Steps] = {}
    failures: list[MedallionError] = []
    while sorter.is_active():
        running |= {name: begin(name) for name in sorter.get_ready()} if not failures else {}
        if not running:
            break
        moved = False
        for name in list(running):
            try:
                event = next(running[name])
            except StopIteration:
                del running[name]
                sorter.done(name)
                moved = True
            except MedallionError as error:
                del running[name]
                failures.append(error)
                if running:
                    yield Failed(name, str(error))
            else:
                if not isinstance(event, Waiting):
                    moved = True
                    yield event
        if not moved:
            time.sleep(pause)
    if failures:
        raise failures[0]


def alone(steps: Steps, pause: float) -> Generator[Event, None, None]:
    """One operation by itself."""
    for event in steps:
        if isinstance(event, Waiting):
            time.sleep(pause)
        else:
            yield event


def until_settled(
    stacks: Stacks,
    name: str,
    began: datetime | None,
    forecast: Forecast | None = None,
    *,
    strict: bool = True,
    launched: bool = False,
) -> Steps:
    """Follows a stack's operation to its end, resource by resource; the root cause when it failed.

    One just `launched` may show a little later; `began` is the newest event before it.
    """
    view = _View(name, forecast)
    patience = time.monotonic() + (LAUNCH_SECONDS if launched else 0)
    while True:
        known = stacks.find(name)
        events = stacks.events(name, began) if known is not None else []
        yield from view.fresh(events)
        if known is None or not _under_way(known, events, patience):
            break
        yield view.progress(known)
        yield Waiting()
    if strict and known is not None and known.status not in GOOD:
        raise failure(known, events)


def _under_way(known: Stack, events: list[StackEvent], patience: float) -> bool:
    """The events may be newer than the status that was read before them."""
    told = [event.status for event in events if event.resource == known.name]
    begun = bool(told) and told[-1].endswith("_IN_PROGRESS")
    unseen = known.status == "REVIEW_IN_PROGRESS" or not events
    return known.busy or begun or (unseen and time.monotonic() < patience)


class _View:
    """What was told of a stack's resources so far."""

    def __init__(self, stack: str, forecast: Forecast | None) -> None:
        self.stack, self.forecast = stack, forecast
        self.seen: set[str] = set()
        self.began: dict[str, datetime] = {}
        self.ended: set[str] = set()

    def fresh(self, events: list[StackEvent]) -> Generator[Event, None, None]:
        """Events of resources that were not told yet."""
        for event in events:
            if event.id in self.seen or event.resource == self.stack:
                continue
            self.seen.add(event.id)
            yield from self._told(event)

    def _told(self, event: StackEvent) -> Generator[Event, None, None]:
        if event.status.endswith("_IN_PROGRESS"):
            if event.resource not in self.began:
                self.began[event.resource] = event.at
                yield Started(event.resource, self.stack)
        elif event.status.endswith("_COMPLETE"):
            self.began.pop(event.resource, None)
            self.ended.add(event.resource)
            yield Finished(event.resource, event.type.removeprefix("AWS::"), self.stack)
        elif event.status.endswith("_FAILED") and not CANCELLED.search(event.reason):
            yield Failed(event.resource, event.reason, self.stack)

    def progress(self, known: Stack) -> Progressed:
        """Where the operation is; what a rollback takes is not foretold."""
        if self.forecast is None or "ROLLBACK" in known.status:
            return Progressed(self.stack, len(self.ended), None, "resources")
        ended = self.ended & self.forecast.expected.keys()
        left = self.forecast.left(ended, self.began)
        return Progressed(self.stack, len(ended), len(self.forecast.expected), "resources", left)
