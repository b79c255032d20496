"""What a look at an account before a deployment found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["stop", "warn", "note", "unseen"]


@dataclass(frozen=True)
class Finding:
    """One finding; only `stop` keeps an `up` from beginning. `code` is stable (MED-UP-<number>)."""

    code: str
    severity: Severity
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f" → {self.remedy}" if self.remedy else ""
        return f"{self.code} {self.what}{remedy}"
