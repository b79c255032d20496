"""What operations say while they act; the console draws them, tests compare them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Started:
    """A step began; one `within` another is a part of it."""

    step: str
    within: str = ""


@dataclass(frozen=True)
class Progressed:
    """A step moved on: `done` of `total` units (total None: unknown), about `left` seconds to go (None: unknown)."""

    step: str
    done: float
    total: float | None = None
    unit: str = ""
    left: float | None = None


@dataclass(frozen=True)
class Finished:
    """A step ended well; `detail` says with what. A part that is `kept` is worth seeing until its step ends."""

    step: str
    detail: str = ""
    within: str = ""
    kept: bool = False


@dataclass(frozen=True)
class Failed:
    """A step ended badly; the operation goes on or raises right after."""

    step: str
    reason: str
    within: str = ""


@dataclass(frozen=True)
class Noted:
    """Something worth a line."""

    text: str


Event = Started | Progressed | Finished | Failed | Noted
