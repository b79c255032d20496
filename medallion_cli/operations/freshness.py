"""How far each table is behind the source, from facts that cost nothing: no query, no look into the source.

A layer is behind when the layer before it holds something that it has not taken: since the oldest of that. What was not
changed is never old. A layer is at least as far behind as the one before it; what was never taken, or stands behind a
replication of which nobody knows the lag, is not known to be fresh.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from medallion_cli.spec import Freshness, Model, Pipeline

State = Literal["fresh", "late", "stale", "unknown"]


@dataclass(frozen=True)
class Lag:
    """Seconds by which each step lags, of the table or model that lags most; None: not known."""

    replication: float | None
    silver: float | None
    merge: float | None

    @property
    def total(self) -> float | None:
        """From the source to gold."""
        if self.replication is None or self.silver is None or self.merge is None:
            return None
        return max(self.replication, self.silver, self.merge)

    @property
    def document(self) -> dict[str, float | None]:
        """As JSON."""
        return {
            "replication_seconds": _whole(self.replication),
            "silver_seconds": _whole(self.silver),
            "merge_seconds": _whole(self.merge),
            "total_seconds": _whole(self.total),
        }


@dataclass(frozen=True)
class Facts:
    """What is known: moments are of the oldest thing that was not taken, None where there is nothing."""

    now: datetime
    replication: float | None  # seconds; None: not measured
    waiting_in_bronze: dict[str, datetime]  # table → its oldest file that silver has not taken
    waiting_in_silver: dict[str, datetime]  # model → the oldest run of silver that gold has not taken
    loaded: frozenset[str]  # tables and models that the newest run of them has taken


def lag(facts: Facts) -> Lag:
    """The three parts, each of what lags most."""
    nothing = 0.0 if facts.loaded else None
    silver = max((_since(facts.now, at) for at in facts.waiting_in_bronze.values()), default=nothing)
    merge = max((_since(facts.now, at) for at in facts.waiting_in_silver.values()), default=nothing)
    return Lag(facts.replication, silver, merge)


def of_table(facts: Facts, table: str) -> float | None:
    """Seconds that silver's table is behind the source; at least, while replication's lag is not known."""
    return _behind(facts, table, [facts.waiting_in_bronze[table]] if table in facts.waiting_in_bronze else [])


def of_model(facts: Facts, model: Model, pipeline: Pipeline) -> float | None:
    """Seconds that a gold model is behind the source; at least, while replication's lag is not known."""
    waits = [facts.waiting_in_bronze[t] for t in inputs(model, pipeline) if t in facts.waiting_in_bronze]
    waits += [facts.waiting_in_silver[model.name]] if model.name in facts.waiting_in_silver else []
    return _behind(facts, model.name, waits)


def inputs(model: Model, pipeline: Pipeline) -> tuple[str, ...]:
    """The tables that a model reads; an aggregate those of its fact."""
    if model.source is not None:
        return inputs(pipeline.model(model.source), pipeline)
    return tuple(one.table for one in model.inputs)


def judged(behind: float | None, wanted: Freshness, at_least: bool = False) -> State:
    """Against the thresholds of a table or model; what is behind by `at_least` so much is not known to be fresh."""
    if behind is None:
        return "unknown"
    if behind > wanted.error_after:
        return "stale"
    if behind > wanted.warn_after:
        return "late"
    return "unknown" if at_least else "fresh"


def _behind(facts: Facts, name: str, waits: Iterable[datetime]) -> float | None:
    known = [_since(facts.now, at) for at in waits]
    if facts.replication is not None and (known or name in facts.loaded):
        known.append(facts.replication)
    return max(known, default=None)


def _since(now: datetime, at: datetime) -> float:
    return max(0.0, (now - at).total_seconds())


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)
