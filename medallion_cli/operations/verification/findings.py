"""What a verification finds: pairs of checksums, and differences with their layer, reason and remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

MASK = "***"

# reason → (what it means, its code); of what differs in the warehouse alone: GOLD
REASONS: Mapping[str, tuple[str, str]] = {
    "not_replicated": ("replication has not brought it to bronze", "MED-VER-006"),
    "missing_in_bronze": ("replication has passed it, and no file holds it", "MED-VER-001"),
    "set_aside": ("its bronze file was set aside", "MED-SIL-004"),
    "quarantined": ("a rule keeps it in quarantine", "MED-SIL-003"),
    "dropped": ("a rule drops it", "MED-VER-007"),
    "refused": ("a rule refuses it, and its table stands still", "MED-SIL-002"),
    "not_merged": ("it waits to be merged", "MED-VER-004"),
    "not_loaded": ("it is staged and waits for the merge", "MED-VER-005"),
    "different": ("the layer holds something else", "MED-VER-002"),
}
GOLD = "MED-VER-003"
ORDER = ("bronze", "silver", "staging", "gold")


@dataclass(frozen=True)
class Difference:
    """One row, or with no key several, that a layer does not hold as the one before it does.

    `columns` names those that differ; none: the whole row is missing or too many.
    """

    table: str
    key: dict[str, str] | None
    layer: str
    reason: str
    columns: tuple[str, ...] = ()
    model: str | None = None
    rules: tuple[str, ...] = ()
    file: str | None = None
    run_id: str | None = None
    rows: int = 1
    follows: tuple[str, ...] = ()  # tables or models before it that differ too: they are mended first
    code: str = ""
    why: str = ""
    remedy: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """Its entry in the JSON."""
        found = asdict(self)
        return {**found, **{name: list(found[name]) for name in ("columns", "rules", "follows")}}


def difference(table: str, key: dict[str, str] | None, layer: str, reason: str, **more: Any) -> Difference:
    """A difference with what its reason means, its code in the catalogue of findings and what that asks for."""
    from medallion_cli.operations.doctor.catalogue import finding

    why, code = REASONS[reason]
    code = GOLD if reason == "different" and layer == "gold" else code
    remedy = finding(code, why, table=table).remedy
    return Difference(table, key, layer, reason, **{"code": code, "why": why, "remedy": remedy, **more})


def named_key(names: Sequence[str], texts: Sequence[str], personal: Iterable[str]) -> dict[str, str]:
    """A key by column; a personal one is masked."""
    hidden = set(personal)
    return {n: MASK if n in hidden else text for n, text in zip(names, texts, strict=True)}


@dataclass(frozen=True)
class Verification:
    """The documented JSON of `verify`."""

    equal: bool
    position: dict[str, Any]
    tables: list[dict[str, Any]]
    models: list[dict[str, Any]]
    differences: list[Difference] = field(default_factory=list)
    differences_total: int = 0
    differences_exact: bool = True  # whether all were counted; else there are at least as many
    waiting: dict[str, Any] = field(
        default_factory=dict
    )  # changes that flow: seen, and not counted as different

    @property
    def document(self) -> dict[str, Any]:
        """One JSON document."""
        return {**vars(self), "differences": [one.document for one in self.differences]}

    @property
    def first(self) -> Difference | None:
        """What to mend first: that of the earliest layer."""
        return min(self.differences, key=lambda one: ORDER.index(one.layer), default=None)

    def spelled(self, words: str) -> Verification:
        """With `medallion` in remedies spelled as this invocation's command."""
        again = [
            replace(d, remedy=re.sub(r"\bmedallion\b(?= [a-z])", words, d.remedy)) for d in self.differences
        ]
        return replace(self, differences=again)
