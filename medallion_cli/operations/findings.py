"""What a check found, where, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing to mend; `code` is stable and says which rule (MED-<room>-<number>)."""

    where: str  # a file, and a dotted path or a line in it
    what: str
    remedy: str = ""
    code: str = ""

    def __str__(self) -> str:
        code = f"{self.code} " if self.code else ""
        remedy = f" → {self.remedy}" if self.remedy else ""
        return " ".join(f"{code}{self.where}: {self.what}{remedy}".split())
