"""What a trial tells: what it did, what it compared, what was not as it has to be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


class Diverged(Exception):
    """Something is not as it has to be; the message says what."""


@dataclass
class Report:
    """What a trial did and found."""

    seed: int
    kind: str = "parts"  # or "stack"
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)  # at the source
    compared: int = 0
    changes: int = 0
    runs: int = 0
    problems: list[str] = field(default_factory=list)
    plot: list[str] = field(default_factory=list)  # what happened, in order
    before: list[int] = field(default_factory=list)  # the seeds whose trials led to where this one began


@dataclass
class Staged:
    """A run that was staged: what COPY and merge were given."""

    run_id: str
    batches: list[list[str]]
    merged: bool = False
