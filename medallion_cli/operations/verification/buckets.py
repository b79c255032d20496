"""The way down from a table's checksum to its differing keys: buckets of keys, split until what differs can be read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

READABLE = 2_000  # rows of a bucket whose rows are read one by one
DEEPER = 2  # hex digits a step, after the first
PREFIXES = 64  # that are followed at a time: 64 × 256 checksums are one megabyte of an answer
DEEPEST = 12  # digits; beyond it, equal hashes of different keys would keep a bucket whole
ANSWER_BYTES = 3_000_000  # of rows in one answer of the Lambda (6 MB is its limit)
ANSWER_ROWS = 40_000
MOST_ROWS = 200_000  # that are read to count differences; beyond them the count is a least one

Digests = Mapping[str, str]


@dataclass(frozen=True)
class Search:
    """The search in one table or model; empty `prefixes` stand for all of it."""

    name: str
    rows: int  # of the larger side
    digits: int
    prefixes: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()  # rows in each prefix, of the larger side
    cut: bool = False  # whether some of what differs is not followed

    @property
    def ready(self) -> bool:
        """Whether the rows under the prefixes can be read."""
        if self.digits == 0:
            return True
        return bool(self.prefixes) and (max(self.sizes) <= READABLE or len(self.prefixes[0]) >= DEEPEST)


def begin(name: str, rows: int) -> Search:
    """A search over a table of that many rows: as many buckets as make them readable, 4,096 at most."""
    digits = 0 if rows <= READABLE else min(3, math.ceil(math.log(rows / READABLE * 4, 16)))
    return Search(name, rows, digits)


def narrowed(search: Search, one: Digests, other: Digests) -> Search | None:
    """The search within the buckets that differ; None when none does."""
    differing = sorted(b for b in {*one, *other} if one.get(b) != other.get(b))
    if not differing:
        return None
    sizes = {b: max(rows_of(one.get(b)), rows_of(other.get(b))) for b in differing}
    kept = differing
    if max(sizes.values()) > READABLE and len(differing[0]) < DEEPEST:
        kept = differing[:PREFIXES]
    else:
        kept = list(_within(differing, sizes))
    deeper = len(differing[0]) + DEEPER
    return replace(
        search,
        digits=deeper,
        prefixes=tuple(kept),
        sizes=tuple(sizes[b] for b in kept),
        cut=search.cut or len(kept) < len(differing),
    )


def portions(search: Search, columns: int, keys: int) -> Iterator[tuple[str, ...]]:
    """Prefixes whose rows fit into one answer of the Lambda."""
    if not search.prefixes:
        yield ()
        return
    most = min(ANSWER_ROWS, ANSWER_BYTES // (8 * columns + 40 * keys + 20))
    portion: list[str] = []
    size = 0
    for prefix, rows in zip(search.prefixes, search.sizes, strict=True):
        if portion and size + rows > most:
            yield tuple(portion)
            portion, size = [], 0
        portion.append(prefix)
        size += rows
    yield tuple(portion)


def rows_of(checksum: str | None) -> int:
    """Rows that a checksum counts: its first number."""
    return int(checksum.partition(":")[0]) if checksum else 0


def _within(buckets: list[str], sizes: Mapping[str, int]) -> Iterator[str]:
    """The first buckets, as long as their rows can be read; one at least."""
    total = 0
    for bucket in buckets:
        total += sizes[bucket]
        if total > MOST_ROWS and total > sizes[bucket]:
            return
        yield bucket
