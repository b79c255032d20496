"""Time that passes only when somebody sleeps."""

from __future__ import annotations

from typing import Any

import pytest


class Clock:
    """Stands for the `time` module."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.01)


def stopped(monkeypatch: pytest.MonkeyPatch, *modules: Any) -> Clock:
    """The clock of these modules."""
    clock = Clock()
    for module in modules:
        monkeypatch.setattr(module, "time", clock)
    return clock
