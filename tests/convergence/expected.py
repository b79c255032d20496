"""What gold has to be, worked out in plain Python from the changes that the harness recorded; no product code.

The rules are those of docs/how-it-works.md: versions by position; a bad newest version takes its key away; of a reload only
what differs from before is a change, at the load's own moment; equal neighbours of a history are one version; moments of a
history never run backwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from random_project import Project
from random_tables import TableShape, canonical
from source_model import Change, Position, Row

Key = tuple[Any, ...]
OPEN = datetime(9999, 12, 31)


@dataclass(frozen=True)
class Load:
    """A table's full load in a generation: its rows, and the binlog position that they are of."""

    generation: str
    table: str
    at: datetime | None  # None: a load without a row, whose moment is the job's own clock
    position: Position
    rows: dict[Key, Row]


@dataclass(frozen=True)
class Version:
    """A version of a history, in canonical form."""

    values: tuple[Any, ...]
    valid_from: datetime | None
    valid_to: datetime | None
    is_current: bool


@dataclass
class Layer:
    """Silver as it should be: by table the valid rows, the bad ones, and keys that are deleted."""

    project: Project
    live: dict[str, dict[Key, Row]] = field(default_factory=dict)
    bad: dict[str, set[Key]] = field(default_factory=dict)
    gone: dict[str, set[Key]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for table in self.project.tables:
            self.live[table.name], self.bad[table.name], self.gone[table.name] = {}, set(), set()

    def put(self, table: TableShape, key: Key, row: Row | None) -> None:
        """A key's newest version."""
        for place in (self.bad[table.name], self.gone[table.name]):
            place.discard(key)
        self.live[table.name].pop(key, None)
        if row is None:
            self.gone[table.name].add(key)
        elif table.is_bad(row):
            self.bad[table.name].add(key)
        else:
            self.live[table.name][key] = {c.name: c.cleaned(row[c.name]) for c in table.columns}

    def reload(self, table: TableShape, rows: Mapping[Key, Row]) -> None:
        """A generation's load: a snapshot, in which an absent key that lived is deleted, and no other is known."""
        absent = set(self.live[table.name]) - set(rows)
        self.live[table.name], self.bad[table.name], self.gone[table.name] = {}, set(), absent
        for key, row in rows.items():
            self.put(table, key, row)


@dataclass
class Timeline:
    """What an scd2 model shows of its keys, from one position to the next; None: nothing."""

    entries: dict[Key, list[tuple[datetime | None, tuple[Any, ...] | None]]] = field(default_factory=dict)

    def note(self, key: Key, at: datetime | None, values: tuple[Any, ...] | None) -> None:
        known = self.entries.setdefault(key, [])
        if (known[-1][1] if known else None) != values:
            known.append((at, values))

    def versions(self) -> dict[Key, list[Version]]:
        """Gold's versions by key."""
        found = {key: list(_dated(entries)) for key, entries in self.entries.items()}
        return {key: versions for key, versions in found.items() if versions}


def _dated(entries: list[tuple[datetime | None, tuple[Any, ...] | None]]) -> Iterator[Version]:
    latest: datetime | None = datetime(1, 1, 1)
    for number, (at, values) in enumerate(entries):
        if values is None:
            continue
        is_last = number + 1 == len(entries)
        end = OPEN if is_last else entries[number + 1][0]
        start = latest = _later(latest, at)
        latest = _later(latest, end)
        yield Version(values, start, latest, is_last)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    """None: not known, and then nothing after it is."""
    return None if one is None or other is None else max(one, other)


@dataclass
class Expected:
    """Plays loads and changes in the order of their positions."""

    project: Project
    layer: Layer = field(init=False)
    parents: Timeline = field(default_factory=Timeline)
    children: Timeline = field(default_factory=Timeline)
    generation: str = ""  # the newest

    def __post_init__(self) -> None:
        self.layer = Layer(self.project)

    def play(
        self, loads: Iterable[Load], changes: Iterable[Change], ends: Mapping[str, Position]
    ) -> Expected:
        """`ends`: how far each generation but the last was replicated."""
        changes = list(changes)
        for generation, found in _by_generation(loads).items():
            self.generation = generation
            for load in found.values():
                self.layer.reload(self.project.table(load.table), load.rows)
            self._show_all(found)
            for change in changes:
                load = found[change.table]
                if change.position > load.position and change.position <= ends.get(
                    generation, change.position
                ):
                    self._change(change)
        return self

    def _change(self, change: Change) -> None:
        table = self.project.table(change.table)
        if change.old is not None and change.old != change.new:
            self.layer.put(table, change.old, None)
        if change.new is not None:
            self.layer.put(table, change.new, change.row)
        self._show(change.table, {key for key in (change.old, change.new) if key is not None}, change.at)

    def _show_all(self, loads: dict[str, Load]) -> None:
        """What the dimensions show after a generation's load, at the first moment of the loads of their own inputs."""
        own = _moment([loads["parent"]])
        for key in {*self.parents.entries, *self.layer.live["parent"]}:
            self.parents.note(key, own, self._parent(key))
        both = _moment([loads["parent"], loads["child"]])
        for key in {*self.children.entries, *self.layer.live["child"]}:
            self.children.note(key, both, self._child(key))

    def _show(self, table: str, keys: set[Key], at: datetime) -> None:
        """What the dimensions show from here on, where a table's keys have changed."""
        if table == "parent":
            for key in keys:
                self.parents.note(key, at, self._parent(key))
        if table in ("parent", "child"):
            known = {*self.children.entries, *self.layer.live["child"]}
            for key in keys if table == "child" else known:
                self.children.note(key, at, self._child(key))

    def _parent(self, key: Key) -> tuple[Any, ...] | None:
        row = self.layer.live["parent"].get(key)
        return (
            None
            if row is None
            else tuple(canonical(row[c.name]) for c in self.project.table("parent").columns)
        )

    def _child(self, key: Key) -> tuple[Any, ...] | None:
        row = self.layer.live["child"].get(key)
        if row is None:
            return None
        shown = [canonical(row[name]) for name in self.project.child_columns]
        return (*shown, *self._of_parent(row))

    def _of_parent(self, row: Row) -> tuple[Any, ...]:
        other = self.layer.live["parent"].get(tuple(row[ours] for ours, _ in self.project.references), {})
        return canonical(other.get("label")), canonical(other.get("num"))

    # The models

    def copied(self, table: str) -> dict[Key, tuple[Any, ...]]:
        """A copy's rows by key."""
        columns = [column.name for column in self.project.table(table).columns]
        rows = self.layer.live[table]
        return {_canonical(key): tuple(canonical(row[n]) for n in columns) for key, row in rows.items()}

    def joined(self) -> dict[Key, tuple[Any, ...]]:
        """The fact's rows: last what its lookup should find, as (parent's key, version) or None."""
        found = {}
        for key, row, reference, looked_up in self._looked_up():
            own = [*key, *reference, row["grp"] or "none", row["num"], row["moment"]]
            found[_canonical(key)] = (*_canonical(own), *self._of_parent(row), looked_up)
        return found

    def alone(self) -> dict[Key, tuple[Any, ...]]:
        """The rows of the fact of one table, last its lookup as in `joined`."""
        return {
            _canonical(key): (*_canonical([*key, *reference, row["moment"]]), looked_up)
            for key, row, reference, looked_up in self._looked_up()
        }

    def _looked_up(self) -> Iterator[tuple[Key, Row, Key, tuple[Key, int] | None]]:
        """Each child: its key, row, reference, and the version of its parent that was valid at its moment."""
        versions = self.parents.versions()
        for key, row in self.layer.live["child"].items():
            reference = tuple(row[ours] for ours, _ in self.project.references)
            seen = _valid(versions.get(reference, []), row["moment"])
            yield key, row, reference, None if seen is None else (_canonical(reference), seen)

    def rolled(self) -> dict[Key, tuple[Any, ...]]:
        """Members and total by the first column of the reference."""
        groups: dict[Any, list[int]] = {}
        for row in self.layer.live["child"].values():
            if row["r0"] is not None:
                groups.setdefault(row["r0"], []).append(row["num"])
        return {_canonical([ref]): _canonical([ref, len(n), _sum(n)]) for ref, n in groups.items()}

    def grouped(self) -> dict[Key, tuple[Any, ...]]:
        """The aggregate of the fact by its group."""
        groups: dict[str, list[tuple[Any, Any]]] = {}
        for row in self.layer.live["child"].values():
            other = self._of_parent(row)[1]
            groups.setdefault(row["grp"] or "none", []).append((row["num"], other))
        return {
            (name,): _canonical(
                [name, len(rows), _sum([n for n, _ in rows]), _greatest([o for _, o in rows])]
            )
            for name, rows in groups.items()
        }


def _valid(versions: list[Version], moment: datetime) -> int | None:
    """The number of the version that was valid then, the first for anything earlier; -1 where that cannot be known."""
    for number, version in enumerate(versions, 1):
        if version.valid_from is None or version.valid_to is None:
            return -1
        if moment < version.valid_to and (moment >= version.valid_from or number == 1):
            return number
    return None


def _by_generation(loads: Iterable[Load]) -> dict[str, dict[str, Load]]:
    found: dict[str, dict[str, Load]] = {}
    for load in sorted(loads, key=lambda load: load.generation):
        found.setdefault(load.generation, {})[load.table] = load
    return found


def _moment(loads: Iterable[Load]) -> datetime | None:
    return min((load.at for load in loads if load.at is not None), default=None)


def _sum(numbers: list[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _greatest(texts: list[str | None]) -> int | None:
    return max((int(text) for text in texts if text is not None), default=None)


def _canonical(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(canonical(value) for value in values)
