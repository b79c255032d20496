"""What is compared after a trial: every row of silver and gold, every version, every tombstone, every bronze row taken once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from expected import Expected, Key, Version
from random_project import Project
from random_tables import base, canonical, from_warehouse
from source_model import SourceModel

Rows = dict[tuple[Any, ...], tuple[Any, ...]]


@dataclass
class Check:
    """One comparison of everything; `compared` counts rows, `problems` are told one by one."""

    project: Project
    pipeline: Any
    warehouse: Any
    house: Any
    bronze: Path
    compared: int = 0

    def problems(self, source: SourceModel, expected: Expected) -> Iterator[str]:
        """Every divergence; none, as it should be."""
        yield from self.gold_problems(source, expected)
        yield from self._silver(expected)
        yield from self._bronze()

    def gold_problems(self, source: SourceModel, expected: Expected) -> Iterator[str]:
        """Those of the harness itself, and those that gold shows."""
        yield from (f"harness: {text}" for text in source.differences())
        yield from self._source(source, expected)
        yield from self._gold(expected)

    def _source(self, source: SourceModel, expected: Expected) -> Iterator[str]:
        """Gold's copies against the source itself, in the columns that both have."""
        for table in self.project.tables:
            there = {c.name for c in source.tables[table.name].columns}
            columns = [c for c in table.columns if c.name in there]
            names = [c.name for c in table.columns]
            found = {
                key: tuple(row[names.index(c.name)] for c in columns)
                for key, row in self._copy(table.name).items()
            }
            rows = {
                tuple(map(canonical, key)): tuple(canonical(c.cleaned(row[c.name])) for c in columns)
                for key, row in source.tables[table.name].rows.items()
                if key not in expected.layer.bad[table.name]
            }
            yield from self._same(f"gold.{table.name} and the source", rows, found)

    def _copy(self, name: str) -> Rows:
        return self._gold_rows(name, self.project.table(name).key)

    def _gold_rows(self, name: str, key: Iterable[str]) -> Rows:
        model = self.pipeline.model(name)
        kinds = {column.name: column.redshift for column in model.checked}
        rows = self.warehouse.run(f"SELECT {', '.join(kinds)} FROM gold.{name}")
        found: Rows = {}
        for row in rows:
            named = {n: from_warehouse(kinds[n], text) for n, text in zip(kinds, row, strict=True)}
            found.setdefault(tuple(named[k] for k in key), tuple(named.values()))
        if len(found) != len(rows):
            raise AssertionError(f"gold.{name} has {len(rows)} rows of {len(found)} keys")
        return found

    def _same(self, what: str, expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> Iterator[str]:
        self.compared += len(expected)
        differing = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
        for key in sorted(differing, key=repr)[:3]:
            yield f"{what}: {key}: expected {expected.get(key)}, found {found.get(key)} ({len(differing)} keys differ)"

    # Silver

    def _silver(self, expected: Expected) -> Iterator[str]:
        """Live rows, and that every key that is missing is a tombstone or in quarantine."""
        for table in self.project.tables:
            names = ", ".join(f"`{c.name}`" for c in table.columns)
            rows = self.house.at(table.name, None).selectExpr(*names.split(", "), "_is_deleted").collect()
            live: Rows = {}
            dead: set[Key] = set()
            for row in rows:
                values = [_of_spark(row[c.name], c.mysql) for c in table.columns]
                key = tuple(values[[c.name for c in table.columns].index(name)] for name in table.key)
                if row["_is_deleted"]:
                    dead.add(key)
                else:
                    live[key] = tuple(values)
            yield from self._same(f"silver.{table.name}", expected.copied(table.name), live)
            missing = expected.layer.gone[table.name] | expected.layer.bad[table.name]
            accounted = {tuple(map(canonical, key)): True for key in missing}
            yield from self._same(f"silver.{table.name}: tombstones", accounted, dict.fromkeys(dead, True))
            yield from self._quarantine(table, expected)

    def _quarantine(self, table: Any, expected: Expected) -> Iterator[str]:
        """The keys whose newest version is kept out are the source's own bad rows."""
        if table.rule not in ("quarantine", "drop"):
            return
        names = [f"`{name}`" for name in table.key]
        order = "_generation DESC, _seq DESC, (_op = 'D') ASC"
        ranked = self.house.at(f"{table.name}_changes", None).selectExpr(
            *names,
            "_valid",
            "_generation",
            f"row_number() OVER (PARTITION BY {', '.join(names)} ORDER BY {order}) AS rank",
        )
        ranked = ranked.where(f"_generation >= '{expected.generation}'")  # what is absent from a load is gone
        kinds = {c.name: c.mysql for c in table.columns}
        found = {
            tuple(_of_spark(row[name], kinds[name]) for name in table.key)
            for row in ranked.where("rank = 1 AND NOT _valid").collect()
        }
        bad = {tuple(map(canonical, key)): True for key in expected.layer.bad[table.name]}
        yield from self._same(f"silver.{table.name}: kept out", bad, dict.fromkeys(found, True))

    def _bronze(self) -> Iterator[str]:
        """Every row of every bronze file is in silver's changes, and once."""
        for table in self.project.tables:
            rows = self.house.at(f"{table.name}_changes", None).where("_bronze_file NOT LIKE 'snapshot:%'")
            taken = rows.groupBy("_bronze_file", "_bronze_row", "_op").count().collect()
            twice = [row for row in taken if row["count"] > 1]
            if twice:
                yield f"silver.{table.name}_changes has {twice[0]} more than once ({len(twice)} rows)"
            found: dict[str, set[int]] = {}
            for row in taken:
                found.setdefault(row["_bronze_file"], set()).add(row["_bronze_row"])
            counts = {file: len(numbers) for file, numbers in found.items()}
            yield from self._same(f"bronze of {table.name}", self._files(table.name), counts)

    def _files(self, table: str) -> dict[str, int]:
        """Rows by file."""
        found = {}
        for path in self.bronze.glob(f"*/{self.project.schema}/{table}/**/*.parquet"):
            rows = pq.ParquetFile(path).metadata.num_rows
            if rows:
                found[path.relative_to(self.bronze).as_posix()] = rows
        return found

    # Gold

    def _gold(self, expected: Expected) -> Iterator[str]:
        for table in self.project.tables:
            yield from self._same(f"gold.{table.name}", expected.copied(table.name), self._copy(table.name))
        dimension = self._history("dim_parent", self.project.table("parent").key)
        yield from self._versions("dim_parent", expected.parents.versions(), dimension)
        if "dim_child" in self.project.models:
            found = self._history("dim_child", self.project.table("child").key)
            yield from self._versions("dim_child", expected.children.versions(), found)
        yield from self._fact("joined", expected.joined())
        if "alone" in self.project.models:
            yield from self._fact("alone", expected.alone())
        if "rolled" in self.project.models:
            yield from self._same("gold.rolled", expected.rolled(), self._gold_rows("rolled", ["ref"]))
        if "grouped" in self.project.models:
            yield from self._same("gold.grouped", expected.grouped(), self._gold_rows("grouped", ["grp"]))

    def _history(self, name: str, key: tuple[str, ...]) -> dict[Key, list[Version]]:
        """A dimension's versions by key, in order; their numbers have no gap."""
        rows = self._gold_rows(name, (*key, "version"))
        names = [column.name for column in self.pipeline.model(name).checked]
        at = {n: i for i, n in enumerate(names)}
        found: dict[Key, list[Version]] = {}
        for row in sorted(rows.values(), key=lambda row: int(row[at["version"]])):
            values = tuple(v for n, v in zip(names, row, strict=True) if n not in _HISTORY and at[n])
            versions = found.setdefault(tuple(row[at[k]] for k in key), [])
            versions.append(
                Version(values, row[at["valid_from"]], row[at["valid_to"]], row[at["is_current"]])
            )
            if int(row[at["version"]]) != len(versions):
                raise AssertionError(f"gold.{name}: versions of {row} are not numbered from one")
        return found

    def _versions(
        self, name: str, expected: dict[Key, list[Version]], found: dict[Key, list[Version]]
    ) -> Iterator[str]:
        """A moment that the harness cannot know (a load of no rows has the job's own) is not compared."""
        told = {
            tuple(map(canonical, key)): [_told(v) for v in versions] for key, versions in expected.items()
        }
        known = {key: [_told(v) for v in versions] for key, versions in found.items()}
        for key, versions in told.items():
            for number, version in enumerate(versions[: len(known.get(key, []))]):
                other = known[key][number]
                known[key][number] = tuple(
                    None if mine is None and place in (1, 2) else theirs
                    for place, (mine, theirs) in enumerate(zip(version, other, strict=True))
                )
        yield from self._same(f"gold.{name}", told, known)

    def _fact(self, name: str, wanted: Rows) -> Iterator[str]:
        """A fact, with its lookup read as (parent's key, version) from gold's own dimension."""
        parent, child = self.project.table("parent"), self.project.table("child")
        names = ["parent_sk", *parent.key, "version"]
        kinds = {c.name: c.redshift for c in self.pipeline.model("dim_parent").checked}
        surrogates: dict[str, Any] = {"-1": None}
        for row in self.warehouse.run(f"SELECT {', '.join(names)} FROM gold.dim_parent"):
            key = tuple(from_warehouse(kinds[n], text) for n, text in zip(parent.key, row[1:-1], strict=True))
            surrogates[str(row[0])] = (key, int(str(row[-1])))
        found = {
            key: (*row[:-1], surrogates.get(row[-1], f"no version {row[-1]}"))
            for key, row in self._gold_rows(name, child.key).items()
        }
        for key, row in wanted.items():
            if row[-1] is not None and row[-1][1] == -1 and key in found:  # cannot be known
                wanted[key] = (*row[:-1], found[key][-1])
        yield from self._same(f"gold.{name}", wanted, found)


_HISTORY = ("version", "valid_from", "valid_to", "is_current")


def _told(version: Version) -> tuple[Any, ...]:
    return version.values, canonical(version.valid_from), canonical(version.valid_to), version.is_current


def _of_spark(value: Any, mysql: str) -> Any:
    """A value of silver in canonical form."""
    if isinstance(value, bytearray):
        return bytes(value).hex()
    if isinstance(value, int) and base(mysql) == "bit":
        return bool(value)
    return canonical(value)
