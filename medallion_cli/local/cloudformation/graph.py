"""Side by side, in order: everything runs as soon as what it needs is done."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Set
from typing import Final

LIMIT: Final = 10  # resources under way at a time

_Outcome = tuple[str, bool | BaseException]


def walk(
    needs: Mapping[str, Set[str]], act: Callable[[str], bool], stopped: Callable[[], bool] = lambda: False
) -> set[str]:
    """Call `act` for every name after all that it needs; the names for which it said True.

    A name for which it said False holds back whatever needs it. Once `stopped()`, nothing more is begun, and
    what an `act` raises is raised here, after those that run have ended.
    """
    waiting = {name: set(needed) & set(needs) - {name} for name, needed in needs.items()}
    running: set[str] = set()
    done: set[str] = set()
    outcomes: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
    error: BaseException | None = None
    while True:
        ready = [] if error or stopped() else [name for name, needed in waiting.items() if needed <= done]
        for name in ready[: LIMIT - len(running)]:
            del waiting[name]
            running.add(name)
            threading.Thread(target=_run, args=(act, name, outcomes), name=name, daemon=True).start()
        if not running:
            break
        name, outcome = outcomes.get()
        running.discard(name)
        if isinstance(outcome, BaseException):
            error = error or outcome
        elif outcome:
            done.add(name)
    if error is not None:
        raise error
    return done


def _run(act: Callable[[str], bool], name: str, outcomes: queue.SimpleQueue[_Outcome]) -> None:
    try:
        outcomes.put((name, act(name)))
    except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
        outcomes.put((name, error))


def reversed_needs(needs: Mapping[str, Set[str]]) -> dict[str, set[str]]:
    """The same graph for taking away: each name needs those gone that needed it."""
    return {name: {other for other, needed in needs.items() if name in needed} for name in needs}
