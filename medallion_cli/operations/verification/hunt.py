"""The hunt for differing rows: all tables and models at once, one Spark job a step down."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from medallion_cli.events import Event, Finished, Started
from medallion_cli.operations.verification.buckets import Search, begin, narrowed, portions
from medallion_cli.operations.verification.sides import GoldSide, SourceSide, SparkSide, evaluated, uri

if TYPE_CHECKING:
    from medallion_cli.spec import Model, Table

CELL = 8  # hex digits of a column's hash
STEP = "rows that differ"


@dataclass
class Prey:
    """A table or model in which rows differ, and what was found of them so far."""

    of: Table | Model
    search: Search | None
    is_table: bool
    total: int = 0
    keys: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the table or model."""
        return self.of.name

    @property
    def which(self) -> tuple[bool, str]:
        """A table and a model may share a name."""
        return self.is_table, self.name

    @property
    def exact(self) -> bool:
        """Whether everything that differs was counted."""
        return self.search is None or not self.search.cut

    def take(self, entry: dict[str, Any], limit: int) -> None:
        """Adds what one answer tells of rows."""
        self.total += entry["total"]
        self.keys += entry["keys"][: limit - len(self.keys)]


def prey(of: Table | Model, rows: int, *, is_table: bool) -> Prey:
    """A table or model to look into."""
    return Prey(of, begin(of.name, rows), is_table)


@dataclass
class Hunt:
    """What a hunt needs: the three engines, the state of silver to compare with, and how to await a heartbeat."""

    source: SourceSide
    spark: SparkSide
    gold: GoldSide
    request: dict[str, Any]  # generation and positions, as every request has them
    awaited: Callable[[set[str]], None]
    beats: Callable[[], set[str]]
    limit: int

    def follow(self, found: Sequence[Prey]) -> Generator[Event, None, None]:
        """Goes down to the rows; a bucket whose difference is gone meanwhile is left."""
        yield Started(STEP)
        for one in found:
            if not one.is_table and not one.of.staged:  # type: ignore[union-attr]
                self._within_gold(one)
        open_ = [one for one in found if one.search is not None and not one.total]
        while open_:
            self._step(open_)
            open_ = [one for one in open_ if one.search is not None and not one.keys and not one.total]
        yield Finished(STEP, f"{sum(one.total for one in found):,}")

    def _step(self, found: Sequence[Prey]) -> None:
        """One step down, or the rows, of each; those that have their rows are done."""
        seen = self.beats()
        entries: dict[str, list[dict[str, Any]]] = {"digests": [], "rows": []}
        sides: dict[tuple[bool, str], dict[str, str]] = {}
        files: dict[str, dict[str, Any]] = {}
        for one in found:
            search = one.search
            assert search is not None
            if search.ready:
                entries["rows"] += self._rows(one, search, files)
                continue
            token = uuid.uuid4().hex
            sides[one.which] = self._digests(one, search, token)
            entries["digests"].append(
                {**_named(one), "digits": search.digits, "prefixes": [*search.prefixes], "token": token}
            )
        if any(one.is_table for one in found):
            self.awaited(seen)
        answer = self.spark.answer({**self.request, **entries}, files)
        self._taken(found, answer, sides)

    def _taken(
        self, found: Sequence[Prey], answer: dict[str, Any], sides: dict[tuple[bool, str], dict[str, str]]
    ) -> None:
        known = {one.which: one for one in found}
        for entry in answer["digests"]:
            one = known[_which(entry)]
            assert one.search is not None
            one.search = narrowed(one.search, sides[one.which], entry["digests"])
        for entry in answer["rows"]:
            known[_which(entry)].take(entry, self.limit)
        for one in found:
            if one.which not in sides and not one.total:  # its rows were read, and are equal by now
                one.search = None

    def _digests(self, one: Prey, search: Search, token: str) -> dict[str, str]:
        if one.is_table:
            return self.source.digests(one.name, search.digits, search.prefixes, token)
        return self.gold.digests(one.of, f'gold."{one.name}"', search.digits, search.prefixes)  # type: ignore[arg-type]

    def _rows(self, one: Prey, search: Search, files: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Entries of the request for rows, with the rows of this side in files."""
        made = []
        key = one.of.key
        columns = len(one.of.columns)
        for prefixes in portions(search, columns, len(key)):
            token = uuid.uuid4().hex
            if one.is_table:
                rows = self.source.cells(one.name, prefixes, token)
            else:
                rows = self.gold.cells(one.of, f'gold."{one.name}"', prefixes)  # type: ignore[arg-type]
            files[f"rows-{token}"] = {"rows": rows}
            made.append(
                {
                    **_named(one),
                    "prefixes": [*prefixes],
                    "token": token,
                    "uri": uri(f"rows-{token}"),
                    "limit": self.limit,
                }
            )
        return made

    def _within_gold(self, one: Prey) -> None:
        """An aggregate against its own evaluation, both in the warehouse."""
        model: Any = one.of
        sides = (f'gold."{one.name}"', evaluated(model))
        while one.search is not None and not one.search.ready:
            search = one.search
            ours, theirs = (self.gold.digests(model, s, search.digits, search.prefixes) for s in sides)
            one.search = narrowed(search, ours, theirs)
        if one.search is None:
            return
        held, wanted = (one_a_key(self.gold.cells(model, side, one.search.prefixes)) for side in sides)
        apart = sorted(k for k in {*held, *wanted} if held.get(k) != wanted.get(k))
        names = [column.name for column in model.checked]
        for key in apart[: self.limit]:
            one.keys.append(
                {
                    "key": list(key),
                    "columns": columns_of(held.get(key), wanted.get(key), names),
                    "expected": wanted.get(key),
                }
            )
        one.total = len(apart)
        if not apart:
            one.search = None


def one_a_key(rows: Sequence[Any]) -> dict[tuple[str, ...], str]:
    """Hashes by key; of several rows their number is added, which makes them differ from one in no column."""
    numbers = Counter(tuple(key) for key, _ in rows)
    found = {tuple(key): cells for key, cells in sorted(rows)}
    return {key: cells + (f"#{numbers[key]}" if numbers[key] > 1 else "") for key, cells in found.items()}


def columns_of(one: str | None, other: str | None, names: Sequence[str]) -> list[str]:
    """Names of the columns whose hashes differ; none when a side has no such row."""
    if one is None or other is None:
        return []
    return [
        n for i, n in enumerate(names) if one[i * CELL : (i + 1) * CELL] != other[i * CELL : (i + 1) * CELL]
    ]


def _named(one: Prey) -> dict[str, str]:
    return {"table" if one.is_table else "model": one.name}


def _which(entry: dict[str, Any]) -> tuple[bool, str]:
    return "table" in entry, entry.get("table") or entry["model"]
