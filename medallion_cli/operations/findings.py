"""What a check found, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing to mend."""

    where: str  # a file, and a dotted path in it
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"
