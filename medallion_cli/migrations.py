"""How a warehouse that holds data gets from the models it was made for to those of the project; nothing is run here.

What is there is read from its catalog and its ledger, what should be from the specification; the difference is migrations.
A column is added in place; any other change of columns is a new table made beside and swapped in, with the rows that can be
kept, so that gold never stands empty. Only another key makes a model anew. Everything is one transaction: `etl.migrate()`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from medallion_cli.ddl import TableDdl, parse_tables
from medallion_cli.merges import Merge, quoted
from medallion_cli.spec import Pipeline, sql_list

CATALOG = (
    "SELECT table_schema, table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale "
    "FROM svv_columns WHERE table_schema IN ('gold', 'staging', 'etl') ORDER BY table_schema, table_name, ordinal_position"
)
SHAPES = "SELECT model, shape FROM etl.shape"
PROCEDURES = (
    "SELECT n.nspname, p.proname FROM pg_proc p JOIN pg_namespace n ON p.pronamespace = n.oid "
    "WHERE n.nspname IN ('gold', 'etl')"
)
ROLES = "SELECT role_name FROM svv_roles UNION SELECT usename FROM pg_user"
BESIDE = "__new"  # the name of a table that is made beside another
_ALIASES = {
    "CHARACTER VARYING": "VARCHAR", "NVARCHAR": "VARCHAR", "TEXT": "VARCHAR", "BPCHAR": "CHAR", "CHARACTER": "CHAR",
    "INT2": "SMALLINT", "INT": "INTEGER", "INT4": "INTEGER", "INT8": "BIGINT", "NUMERIC": "DECIMAL", "BOOL": "BOOLEAN",
    "FLOAT": "DOUBLE PRECISION", "FLOAT8": "DOUBLE PRECISION", "DOUBLE": "DOUBLE PRECISION", "FLOAT4": "REAL",
    "TIMESTAMP WITHOUT TIME ZONE": "TIMESTAMP", "BINARY VARYING": "VARBYTE", "VARBINARY": "VARBYTE",
}  # fmt: skip
_DEFAULTS = {"VARCHAR": (256,), "CHAR": (1,), "DECIMAL": (18, 0)}
_DIGITS = {"SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}

Type = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Deployed:
    """What a warehouse holds: column types by table (`gold.fact_sales`), each model's shape, procedures, roles."""

    columns: Mapping[str, Mapping[str, Type]] = field(default_factory=dict)
    shapes: Mapping[str, str] = field(default_factory=dict)
    procedures: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


EMPTY = Deployed()


@dataclass(frozen=True)
class Migration:
    """One step of a model from what is deployed to what the project says."""

    model: str
    change: str  # new model, dropped model, new column, changed columns, changed key, changed SELECT, …
    what: str  # one line for people
    version: str  # the shape it leads to
    evaluation: bool  # the next run evaluates the model in full
    empties: bool  # its gold table holds nothing until then
    statements: tuple[str, ...]
    before: str | None = None  # the shape it leads from

    def __str__(self) -> str:
        return f"{self.model}: {self.change} ({self.what})"


def deployed(
    columns: Iterable[tuple[object, ...]],
    shapes: Iterable[tuple[object, ...]],
    procedures: Iterable[tuple[object, ...]],
    roles: Iterable[tuple[object, ...]],
) -> Deployed:
    """From the rows of CATALOG, SHAPES, PROCEDURES and ROLES."""
    tables: dict[str, dict[str, Type]] = {}
    for schema, table, column, kind, *sizes in columns:
        numbers = [int(str(size)) for size in sizes if size is not None]
        tables.setdefault(f"{schema}.{table}", {})[str(column)] = plain_type(str(kind), numbers)
    known = {str(model): str(shape) for model, shape in shapes}
    named = frozenset(f"{schema}.{name}" for schema, name in procedures)
    return Deployed(tables, known, named, frozenset(str(role) for (role,) in roles))


def plain_type(kind: str, sizes: Iterable[int] = ()) -> Type:
    """A type as the DDL or the catalog writes it, in one form: only texts and decimals have sizes."""
    base, _, given = kind.upper().partition("(")
    name = _ALIASES.get(base.strip(), base.strip())
    if name not in _DEFAULTS:
        return name, ()
    wanted = len(_DEFAULTS[name])
    numbers = tuple(int(n) for n in re.findall(r"\d+", given)) or tuple(sizes)
    if "MAX" in given:
        numbers = (65535,)
    return name, (numbers + (0,) * wanted)[:wanted] if numbers else _DEFAULTS[name]


def widens(old: Type, new: Type) -> bool:
    """Whether every value of the old type is one of the new."""
    (one, sizes), (other, limits) = old, new
    if old == new or (one, other) in (("REAL", "DOUBLE PRECISION"), ("DATE", "TIMESTAMP")):
        return True
    if other == "VARCHAR":
        return one in ("VARCHAR", "CHAR") and sizes[0] <= limits[0]
    if other in _DIGITS:
        return one in _DIGITS and _DIGITS[one] <= _DIGITS[other]
    if other == "DECIMAL":
        whole = _DIGITS[one] if one in _DIGITS else sizes[0] - sizes[1] if one == "DECIMAL" else 99
        return whole <= limits[0] - limits[1] and (one in _DIGITS or sizes[1] <= limits[1])
    return False


def shape(merge: Merge) -> str:
    """`<SELECT>-<own tables>-<identity>-<layout>`: hashes of what a change of each has consequences of its own."""
    own = _digest(merge.own_tables)
    identity = _digest([merge.kind, merge.model.key, merge.model.surrogate])
    return f"{merge.model.select_hash}-{own}-{identity}-{_digest(_layout(merge.gold_ddl))}"


def migrations(
    merges: Iterable[Merge], pipeline: Pipeline, extra: Mapping[str, tuple[str, ...]], there: Deployed
) -> list[Migration]:
    """What is due, in the order of the models; `extra` are statements that make the tables that are no models."""
    found = [_of_model(merge, there) for merge in merges]
    found += [_of_extra(name, statements, there) for name, statements in extra.items()]
    found += [_dropped(name, pipeline, there) for name in sorted(there.shapes) if _is_gone(name, pipeline)]
    return [migration for migration in found if migration is not None]


def _of_model(merge: Merge, there: Deployed) -> Migration | None:
    known, wanted = there.shapes.get(merge.name), shape(merge)
    have = there.columns.get(f"gold.{merge.name}".lower())
    change = _Change(merge, parse_ddl(merge.gold_ddl), have, known, wanted, _has_own(merge, there))
    if change.is_none:
        return None
    return Migration(
        model=merge.name,
        change=change.kind,
        what=change.what,
        version=wanted,
        before=known,
        evaluation=change.evaluation,
        empties=change.empties,
        statements=tuple(change.statements()),
    )


def _has_own(merge: Merge, there: Deployed) -> bool:
    """Whether nobody has changed or dropped its tables in staging; what the catalog does not tell of is taken as right."""
    if not any(name.startswith("staging.") for name in there.columns):
        return True
    for table, ddl in merge.own_tables:
        wanted = [name.lower() for name, _, _ in parse_ddl([ddl]).columns]
        if list(there.columns.get(table.replace('"', "").lower(), {})) != wanted:
            return False
    return True


@dataclass(frozen=True)
class _Change:
    """One model: the table there is (None: none) and the table there should be."""

    merge: Merge
    ddl: TableDdl
    have: Mapping[str, Type] | None
    known: str | None
    wanted: str
    has_own: bool = True  # staging and pending tables are as they were made

    @property
    def is_none(self) -> bool:
        same = self.have is not None and self.has_own and not (self.added or self.gone or self.retyped)
        return self.known == self.wanted and same

    @property
    def types(self) -> dict[str, Type]:
        return {name.lower(): plain_type(kind) for name, kind, _ in self.ddl.columns}

    @property
    def added(self) -> list[str]:
        return [name for name, _, _ in self.ddl.columns if name.lower() not in (self.have or {})]

    @property
    def gone(self) -> list[str]:
        return [name for name in self.have or {} if name not in self.types]

    @property
    def retyped(self) -> list[str]:
        have = self.have or {}
        return [
            n
            for n, _, _ in self.ddl.columns
            if n.lower() in have and have[n.lower()] != self.types[n.lower()]
        ]

    def _differs(self, part: int) -> bool:
        """Whether a part of the shape differs; of a warehouse older than these parts only columns are known."""
        if self.known is None or self.known.count("-") != 3:
            return False
        return self.known.split("-")[part] != self.wanted.split("-")[part]

    @property
    def _kept(self) -> list[str]:
        """The columns whose values stay."""
        have = self.have or {}
        return [
            n for n, _, _ in self.ddl.columns
            if n.lower() in have and widens(have[n.lower()], self.types[n.lower()])
        ]  # fmt: skip

    @property
    def empties(self) -> bool:
        """Another key, or a column that must have a value and has none: the rows can't be kept."""
        if self.have is None or self._differs(2):
            return self.have is not None
        kept = set(self._kept)
        return self._beside and any(not null and name not in kept for name, _, null in self.ddl.columns)

    @property
    def _beside(self) -> bool:
        return bool(self.gone or self.retyped or self._differs(2) or self._differs(3))

    @property
    def kind(self) -> str:
        if self.have is None:
            return "new model"
        if self._differs(2):
            return "changed key"
        if self._beside:
            return "changed columns" if self.added or self.gone or self.retyped else "changed layout"
        if not self.has_own and not self.added:
            return "changed staging"
        return "new column" if self.added else "changed SELECT"

    @property
    def what(self) -> str:
        parts = [f"{name} {self._written(name)}" for name in self.added] if self.have is not None else []
        parts += [f"{name} becomes {self._written(name)}" for name in self.retyped]
        parts += [f"{name} goes" for name in self.gone]
        rows = "its rows are evaluated anew" if self.evaluation else "its rows stay"
        return "; ".join([*(parts if self.kind != "new model" else [f"{len(self.types)} columns"]), rows])

    def _written(self, name: str) -> str:
        return next(kind for column, kind, _ in self.ddl.columns if column == name)

    @property
    def evaluation(self) -> bool:
        return self.have is None or self.empties or self.known is None or self._differs(0) or self._own

    @property
    def _own(self) -> bool:
        """Whether staging and pending tables are to be made again."""
        unknown = self.have is None or self.known is None or self.known.count("-") != 3
        return unknown or not self.has_own or self._differs(1)

    def statements(self) -> Iterator[str]:
        merge, literal = self.merge, self.merge.literal
        yield from self._table()
        if self._own or self.empties:
            for table, ddl in merge.own_tables:
                yield f"DROP TABLE IF EXISTS {table}"
                yield ddl
            yield f"DELETE FROM etl.staged WHERE model = {literal}"
            yield f"UPDATE etl.position SET select_hash = 'stale' WHERE model = {literal}"
        if self.empties:
            yield f"DELETE FROM etl.position WHERE model = {literal}"
            yield f"DELETE FROM etl.model_state WHERE model = {literal}"
            for fact in dict.fromkeys(look.fact_name for look in merge.dependents):
                # It holds surrogates of versions that are gone: the next run looks all of them up again.
                yield f"DELETE FROM etl.position WHERE model = {sql_list([fact])}"
        yield f"DELETE FROM etl.shape WHERE model = {literal}"
        yield f"INSERT INTO etl.shape (model, shape) VALUES ({literal}, '{self.wanted}')"

    def _table(self) -> Iterator[str]:
        merge = self.merge
        if self.have is None:
            yield from merge.gold_ddl
        elif self._beside or self.empties:
            yield "CALL etl.drop_views()"
            yield from self._swapped()
        else:
            for name in self.added:
                yield f"ALTER TABLE {merge.gold} ADD COLUMN {quoted(name)} {self._written(name)}"

    def _swapped(self) -> Iterator[str]:
        """The new table beside the old, filled from it, then under its name."""
        merge, beside = self.merge, quoted(f"{self.merge.name}{BESIDE}")
        name = rf'\bgold\s*\.\s*"?{re.escape(merge.name)}"?(?!\w)'
        yield f"DROP TABLE IF EXISTS gold.{beside}"
        for statement in merge.gold_ddl:
            yield re.sub(name, f"gold.{beside}", statement, flags=re.IGNORECASE)
        if not self.empties and (kept := self._kept):
            columns = ", ".join(quoted(column) for column in kept)
            values = ", ".join(f"CAST({quoted(column)} AS {self._written(column)})" for column in kept)
            yield f"INSERT INTO gold.{beside} ({columns}) SELECT {values} FROM {merge.gold}"
        yield f"DROP TABLE {merge.gold}"
        yield f"ALTER TABLE gold.{beside} RENAME TO {quoted(merge.name)}"


def _of_extra(name: str, statements: tuple[str, ...], there: Deployed) -> Migration | None:
    """A table that is no model is filled by its own file: where its columns change it is made anew."""
    have = there.columns.get(f"gold.{name}".lower())
    wanted = {column.lower(): plain_type(kind) for column, kind, _ in parse_ddl(statements).columns}
    if have is None or dict(have) == wanted:
        return None
    return Migration(
        model=name,
        change="changed columns",
        what="its file fills it anew",
        version=_digest(sorted(wanted.items())),
        evaluation=False,
        empties=False,
        statements=("CALL etl.drop_views()", f"DROP TABLE gold.{quoted(name)}"),
    )


def _is_gone(name: str, pipeline: Pipeline) -> bool:
    return name not in {model.name for model in pipeline.models}


def _dropped(name: str, pipeline: Pipeline, there: Deployed) -> Migration:
    wanted = {t for model in pipeline.models for t, _ in Merge(model, pipeline).own_tables}
    pending = [
        table
        for table in sorted(there.columns)
        if table.startswith(f"etl.pending_{name}") and table not in wanted
    ]
    procedures = {
        f"gold.merge_{name}": "VARCHAR",
        f"gold.merge_touched_{name}": "VARCHAR",
        f"etl.migrate_{name}": "",
        f"etl.make_masked_{name}": "",
    }
    literal = sql_list([name])
    return Migration(
        model=name,
        change="dropped model",
        what=f"gold.{name} goes",
        version="dropped",
        before=there.shapes[name],
        evaluation=False,
        empties=False,
        statements=(
            "CALL etl.drop_views()",
            f"DROP TABLE IF EXISTS gold.{quoted(name)}",
            f"DROP TABLE IF EXISTS staging.{quoted(name)}",
            *(f"DROP TABLE {table}" for table in pending),
            *(f"DROP PROCEDURE {p}({given})" for p, given in procedures.items() if p in there.procedures),
            *(
                f"DELETE FROM etl.{t} WHERE model = {literal}"
                for t in ("position", "staged", "model_state", "shape")
            ),
        ),
    )


def parse_ddl(statements: Iterable[str]) -> TableDdl:
    """The first CREATE TABLE among statements."""
    text = ";\n".join(statements)
    return next(iter(parse_tables(text, "redshift", "gold table").values()))


def _layout(statements: Iterable[str]) -> list[str]:
    """What follows the columns in a CREATE TABLE: distribution and sort keys."""
    found = []
    for statement in statements:
        code = re.sub(r"--[^\n]*", "", statement)
        depth, opened = 0, False
        for at, letter in enumerate(code):
            depth += {"(": 1, ")": -1}.get(letter, 0)
            opened = opened or depth > 0
            if opened and depth == 0:
                found.append(" ".join(code[at + 1 :].upper().split()))
                break
    return found


def _digest(facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
