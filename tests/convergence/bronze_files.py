"""Faults of bronze that DMS or people make: files twice, late, in another order, split; deletes with only a key; no Op."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass
class BronzeFiles:
    """The files of a trial's generations; those that were put aside come back by `release`."""

    root: Path  # the bucket
    aside: Path
    schema: str
    chance: random.Random
    held: dict[str, Path] = field(default_factory=dict)  # key → where the file is meanwhile
    seen: set[str] = field(default_factory=set)  # keys that silver may have taken: they stay as they are
    numbers: int = 0

    def keys(self) -> list[str]:
        """Every Parquet file of the source's tables."""
        found = (
            path.relative_to(self.root).as_posix() for path in self.root.glob(f"*/{self.schema}/**/*.parquet")
        )
        return sorted(found)

    def new(self) -> list[str]:
        """Files of changes that no run has seen yet."""
        return [key for key in self.keys() if key not in self.seen and "/LOAD" not in key]

    def disturb(self, faults: Counter[str]) -> None:
        """A few random faults; `seen` says afterwards what the next run may take."""
        newest = max((key.split("/")[0] for key in self.keys()), default="")
        for key in self.new():
            kind = self.chance.choice(KINDS)
            if kind == "file late" and not key.startswith(f"{newest}/"):
                continue  # a generation has ended, with all of its files, before the next one begins
            if kind and self._act(kind, key):
                faults[f"bronze: {kind}"] += 1
        # Runs have left the folders before the newest.
        old = [key for key in self.keys() if key.startswith(f"{newest}/") and "/LOAD" not in key]
        if old and self.chance.random() < 0.3:
            self._act("file twice", self.chance.choice(old))
            faults["bronze: file twice"] += 1
        for key in self.keys():
            if "/LOAD" in key and key not in self.seen and self.chance.random() < 0.3:
                self._act("load without Op", key)
                faults["bronze: load without Op"] += 1
        self.seen |= set(self.keys())

    def hold(self, faults: Counter[str]) -> None:
        """Every file that no run has seen is late."""
        for key in self.new():
            self._act("file late", key)
            faults["bronze: file late"] += 1

    def release(self) -> None:
        """The late files arrive."""
        for key, path in self.held.items():
            (self.root / key).parent.mkdir(parents=True, exist_ok=True)
            path.rename(self.root / key)
        self.held.clear()

    def _act(self, kind: str, key: str) -> bool:
        path = self.root / key
        match kind:
            case "file late":
                place = self.aside / f"{len(self.held)}-{path.name}"
                self.aside.mkdir(parents=True, exist_ok=True)
                path.rename(place)
                self.held[key] = place
            case "file twice":
                self._sibling(path).write_bytes(path.read_bytes())
            case "file in another order":
                path.rename(self._sibling(path))
            case "rows in another order":
                table = _read(path)
                order = list(range(table.num_rows))
                self.chance.shuffle(order)
                _write(table.take(order), path)
            case "file in two":
                table = _read(path)
                half = table.num_rows // 2
                if not half:
                    return False
                _write(table.slice(half), self._sibling(path))
                _write(table.slice(0, half), path)
            case "deletes of a key only":
                return self._key_only(path)
            case "load without Op":
                table = _read(path)
                _write(_without_op(table, self.chance.random() < 0.5), path)
        return True

    def _sibling(self, path: Path) -> Path:
        """Another name in the folder, before or after the file's own."""
        self.numbers += 1
        day = self.chance.choice(("20251231", "20261231"))
        return path.with_name(f"{day}-{self.numbers:09d}.parquet")

    def _key_only(self, path: Path) -> bool:
        """Deletes lose their values, or even the key's after image."""
        table = _read(path)
        deletes = [op == "D" for op in table.column("Op").to_pylist()]
        if not any(deletes):
            return False
        before = {name[3:] for name in table.column_names if name.startswith("BI_")}
        kept = {"Op", "dms_commit_ts", "dms_change_seq", *(f"BI_{name}" for name in before)}
        kept |= before if self.chance.random() < 0.5 else set()
        for number, name in enumerate(table.column_names):
            if name not in kept:
                table = _nulled(table, number, deletes)
        _write(table, path)
        return True


KINDS = (
    *(None,) * 8,
    *(
        "file late",
        "file late",
        "file twice",
        "file in another order",
        "rows in another order",
        "file in two",
    ),
    "deletes of a key only",
)


def _without_op(table: pa.Table, dropped: bool) -> pa.Table:
    if dropped:
        return table.drop_columns(["Op"])
    return table.set_column(0, "Op", pa.nulls(table.num_rows, pa.string()))


def _nulled(table: pa.Table, number: int, where: list[bool]) -> pa.Table:
    import pyarrow.compute as pc

    column: Any = table.column(number)
    return table.set_column(
        number, table.field(number), pc.if_else(pa.array(where), pa.scalar(None, column.type), column)
    )


def _read(path: Path) -> pa.Table:
    return pq.ParquetFile(path).read()


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path)
