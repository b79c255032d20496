"""What a verification finds: pairs of checksums, and differences with their layer, reason and remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

MASK = "***"

# reason → (what it means, what to type; then verify again)
REASONS: Mapping[str, tuple[str, str]] = {
    "not_replicated": ("replication has not brought it to bronze", "replicate start"),
    "missing_in_bronze": ("no file of bronze holds it: a file is missing", "replicate reload"),
    "set_aside": ("its bronze file was set aside", "replicate reload"),
    "quarantined": ("a rule keeps it in quarantine", "quarantine list"),
    "dropped": ("a rule drops it", "quarantine list"),
    "not_merged": ("it waits to be merged", "run"),
    "not_loaded": ("it is staged and waits for the merge", "merge"),
    "different": ("the layer holds something else", "replicate reload"),
}
GOLD_REMEDY = "run --layer gold --full"  # what differs in gold alone is evaluated again


@dataclass(frozen=True)
class Difference:
    """One row, or with no key several, that a layer does not hold as the one before it does.

    `columns` names those that differ; none: the whole row is missing or too many.
    """

    table: str
    key: dict[str, str] | None
    columns: tuple[str, ...]
    layer: str
    reason: str
    model: str | None = None
    rules: tuple[str, ...] = ()
    file: str | None = None
    run_id: str | None = None
    rows: int = 1
    why: str = ""
    remedy: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """Its entry in the JSON."""
        found = asdict(self)
        return {**found, "columns": list(self.columns), "rules": list(self.rules)}


def difference(table: str, key: dict[str, str] | None, layer: str, reason: str, **more: Any) -> Difference:
    """A difference with what its reason means and asks for."""
    why, remedy = REASONS[reason]
    if reason == "different" and layer in ("gold", "staging"):
        remedy = GOLD_REMEDY
    return Difference(table, key, layer=layer, reason=reason, **{"why": why, "remedy": remedy, **more})


def named_key(
    names: Sequence[str], texts: Sequence[str], personal: Iterable[str], key: Sequence[str] = ()
) -> dict[str, str]:
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
    def remedy(self) -> str:
        """What to type first: that of the earliest layer."""
        order = ("bronze", "silver", "staging", "gold")
        known = sorted(self.differences, key=lambda one: order.index(one.layer))
        return known[0].remedy if known else "run"
