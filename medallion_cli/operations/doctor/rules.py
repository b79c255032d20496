"""What a coded finding is: a rule of the catalogue, and one case of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]


class NotLooked(Exception):
    """What a check looks at was not asked, or can't be judged now, which another finding tells where it matters."""


@dataclass(frozen=True)
class Rule:
    """One thing that can be wrong; `remedy` is a command line in which {names} are filled in."""

    code: str  # MED-<room>-<number>; never used for anything else again
    title: str
    consequence: str
    remedy: str
    severity: Severity = "error"
    safe: bool = False  # `doctor --fix` does it unasked: it loses nothing and costs nothing
    note: str = ""  # what else is good to know


@dataclass(frozen=True)
class Finding:
    """A rule that applies; `evidence` says where and what was seen."""

    code: str
    severity: Severity
    title: str
    evidence: str
    consequence: str
    remedy: str
    safe_to_fix: bool
    where: str = ""  # a table, a model, a component

    def __str__(self) -> str:
        return f"{self.code} {self.evidence}"

    def tried(self, words: str) -> Finding:
        """The same with `medallion` in its remedy spelled as this invocation's command."""
        return replace(self, remedy=re.sub(r"\bmedallion\b(?= [a-z])", lambda _: words, self.remedy))


def found(rule: Rule, evidence: str, *, where: str = "", **fields: Any) -> Finding:
    """A case of a rule; `fields` fill its remedy."""
    told = " ".join(evidence.split())
    remedy = rule.remedy.format(**fields)
    return Finding(rule.code, rule.severity, rule.title, told, rule.consequence, remedy, rule.safe, where)
