"""Generations of bronze: which of its folders begins a table anew, and which goes on with the one before.

A folder is a generation of every table that is loaded in it. After a reload of single tables the others go on in the new
folder without a load; `s3://<artifacts>/generations/<folder>.json`, which the command line writes, tells them apart, and
that a load was seen complete. Without such a document a folder is a generation of all tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from medallion_glue.objects import keys, read_text

PREFIX = "generations/"
AMID = "L"  # `_op` of a row of a load that came into a running stream of changes


@dataclass(frozen=True)
class Folder:
    """What is known of one folder; `tables` are `schema.table`, None for all of them."""

    tables: frozenset[str] | None = None
    loaded: bool = False


@dataclass(frozen=True)
class Generations:
    """The folders that have a document."""

    folders: dict[str, Folder] = field(default_factory=dict)

    def of(self, table: str) -> TableGenerations:
        """As one table sees them."""
        return TableGenerations(table, self.folders)


@dataclass(frozen=True)
class TableGenerations:
    """The folders of one table (`schema.table`)."""

    table: str = ""
    folders: dict[str, Folder] = field(default_factory=dict)

    def is_fresh(self, folder: str) -> bool:
        """Whether the table is loaded in it."""
        tables = self._folder(folder).tables
        return tables is None or self.table in tables

    def base(self, folder: str) -> str:
        """The folder that holds the load which this one's changes follow."""
        while not self.is_fresh(folder):
            folder = f"g{int(folder[1:]) - 1:04d}"
        return folder

    @property
    def partial(self) -> list[str]:
        """Those whose load came into a running stream of changes, so that some may be of before the load."""
        return [name for name, folder in self.folders.items() if folder.tables is not None]

    def due(self, at_hand: str | None, newest: str, loaded: bool) -> Iterator[tuple[str, bool]]:
        """(folder, whether it begins anew) to take, in order; `loaded` is DMS's word on the newest load of all tables.

        From the load at hand on: a file may come late, or be mended, in a folder that the table has left since. A load that
        was not seen complete is left out with what follows it, unless it is the newest and complete now.
        """
        start = self.base(at_hand) if at_hand else ""
        known = {newest, self.base(newest), *self.folders, *([start, at_hand] if at_hand else [])}
        begun = at_hand is not None
        for folder in sorted(name for name in known if start <= name <= newest):
            first = folder > (at_hand or "") and self.is_fresh(folder)
            if first:
                begun = self._is_loaded(folder, newest, loaded)
            if begun:
                yield folder, first

    def waits(self, at_hand: str | None, newest: str, loaded: bool) -> bool:
        """Whether the newest load is still to come."""
        base = self.base(newest)
        return (at_hand or "") < base and not self._is_loaded(base, newest, loaded)

    def _is_loaded(self, folder: str, newest: str, loaded: bool) -> bool:
        is_newest = folder not in self.partial and folder == self.base(newest)
        return self._folder(folder).loaded or (is_newest and loaded)

    def _folder(self, folder: str) -> Folder:
        return self.folders.get(folder, Folder())


def read_generations(bucket: str) -> Generations:
    """Every document in the artifacts bucket."""
    found = {}
    for key in keys(bucket, PREFIX):
        document = json.loads(read_text(f"s3://{bucket}/{key}"))
        tables = document.get("tables")
        folder = Folder(None if tables is None else frozenset(tables), bool(document.get("loaded")))
        found[key.removeprefix(PREFIX).removesuffix(".json")] = folder
    return Generations(found)
