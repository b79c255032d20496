"""Verify: every table's silver against the source, every model's gold against its full evaluation over silver.

The source is compared at a heartbeat: silver as it was there, later changes left out. Gold is compared with an evaluation of
silver at the position that gold itself has reached. What waits to be merged is a difference while the source is quiet, since a
run ends it; while changes flow, something always waits, and what waits is told but not counted.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Started
from medallion_cli.operations.verification.findings import (
    Difference,
    Verification,
    difference,
    named_key,
)
from medallion_cli.operations.verification.hunt import Hunt, Prey, prey
from medallion_cli.operations.verification.moment import Moment, moment
from medallion_cli.operations.verification.sides import GoldSide, SourceSide, SparkSide, counted, identity

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Model, Pipeline, Table

LIMIT = 20
NOTHING: dict[str, Any] = {"rows": 0, "checksum": ""}
T = TypeVar("T")


@dataclass(frozen=True)
class Scope:
    """What is compared, and how many differences are listed."""

    tables: tuple[Table, ...]
    models: tuple[Model, ...]
    limit: int = LIMIT

    @property
    def evaluated(self) -> list[Model]:
        """The models that Spark evaluates, and the dimensions that they look up."""
        wanted = {m.name for m in self.models} | {k.dimension for m in self.models for k in m.lookups}
        return [m for m in self._all if m.name in wanted and m.staged]

    _all: tuple[Model, ...] = ()


def scope(pipeline: Pipeline, table: str | None, model: str | None, limit: int = LIMIT) -> Scope:
    """All of it, or the table and the model that are named; UsageError for a name that is not there."""
    tables = (pipeline.table(table),) if table else () if model else pipeline.tables
    models = (pipeline.model(model),) if model else () if table else pipeline.models
    return Scope(tuple(tables), tuple(models), limit, _all=pipeline.models)


def verify(
    target: Target,
    outputs: dict[str, str],
    settings: Settings,
    pipeline: Pipeline,
    warehouse: Warehouse,
    what: Scope | None = None,
) -> Generator[Event, None, Verification]:
    """Checksums computed inside each engine, at the same time; where they differ, the rows and columns that do."""
    what = what or scope(pipeline, None, None)
    look = Look(
        what,
        pipeline,
        moment(target, outputs, settings),
        SourceSide(target, outputs),
        SparkSide(target, outputs, settings),
        GoldSide(warehouse, pipeline),
    )
    yield from look.sums()
    yield from look.judge()
    return look.verification()


@dataclass
class Look:
    """One verification, as far as it has come."""

    what: Scope
    pipeline: Pipeline
    moment: Moment
    source: SourceSide
    spark: SparkSide
    warehouse: GoldSide
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    heartbeat: int | None = None
    position: dict[str, Any] = field(default_factory=dict)
    began: int | None = None  # changes that replication had captured when the heartbeat was there
    of_source: dict[str, Any] = field(default_factory=dict)
    of_silver: dict[str, Any] = field(default_factory=dict)
    of_gold: dict[str, Any] = field(default_factory=dict)
    expected: dict[str, Any] = field(default_factory=dict)
    lagging: list[Difference] = field(default_factory=list)
    lags: dict[str, int] = field(default_factory=dict)  # table or model → keys that wait
    differing: list[Difference] = field(default_factory=list)
    more: int = 0  # differences that are not listed
    exact: bool = True
    flows: bool = False
    gone: set[tuple[bool, str]] = field(default_factory=set)  # tables and models equal at the second look

    def sums(self) -> Generator[Event, None, None]:
        """Rows and checksums of everything."""
        seen = self.moment.beats()
        yield Started("source")
        source = later(self._source) if self.what.tables else None
        yield Started("gold")
        gold = later(lambda: self.warehouse.checksums(self.what.models))
        if source is not None:
            self.moment.awaited(seen, broken=lambda: source.done() and source.exception() is not None)
            if source.done():
                source.result()  # raises what went wrong before the others are asked
            self.began = self.moment.changes()
        yield Started("silver and expectations of gold")
        spark = self.spark.answer(
            {
                "generation": self.moment.generation,
                "limit": self.what.limit,
                "tables": [
                    {"table": t.name, "token": self.token, "limit": self.what.limit} for t in self.what.tables
                ],
                "models": [m.name for m in self.what.evaluated],
            }
        )
        self.of_silver = {e["table"]: e for e in spark["tables"]}
        self.expected = {e["model"]: e for e in spark["models"]}
        self.position = spark["positions"].get(self.token, {})
        yield Finished("silver and expectations of gold")
        if source is not None:
            self.of_source = source.result()
        rows = sum(entry["rows"] for entry in self.of_source.values())
        yield Finished("source", f"{rows:,} rows at heartbeat {self.heartbeat}")
        self.of_gold, aggregates = gold.result()
        self.expected |= aggregates
        yield Finished("gold", f"{sum(entry['rows'] for entry in self.of_gold.values()):,} rows")

    def _source(self) -> dict[str, Any]:
        found = self.source.checksums([t.name for t in self.what.tables], self.token)
        self.heartbeat = found["heartbeat"]
        return dict(found["tables"])

    def judge(self) -> Generator[Event, None, None]:
        """What lags, and what differs: the latter is hunted down to its rows."""
        found = [*self._tables()]
        yield from self._behind()
        found += [*self._models()]
        if self.lags:
            self.flows = self._flowing()
        if found:
            request = {"generation": self.moment.generation, "positions": self._positions()}
            hunt = Hunt(
                self.source,
                self.spark,
                self.warehouse,
                request,
                self.moment.awaited,
                self.moment.beats,
                self.what.limit,
            )
            yield from hunt.follow(found)
            self.gone = {one.which for one in found if not one.total}
            self._described([one for one in found if one.is_table or self._stood_still(one)])

    def _stood_still(self, one: Prey) -> bool:
        """Whether gold's model is the one that was compared; MedallionError when a run has merged into it meanwhile."""
        if one.total and self.warehouse.positions().get(one.name) != self.of_gold[one.name]["position"]:
            raise MedallionError(
                f"a run has merged {one.name} while it was looked into", hint="medallion verify"
            )
        return True

    def _flowing(self) -> bool:
        """Whether tables have changed since the heartbeat."""
        return self.moment.runs and self.began is not None and self.moment.changes() > self.began

    def _tables(self) -> Iterator[Prey]:
        for table in self.what.tables:
            source, silver = self.of_source[table.name], self.of_silver.get(table.name)
            if silver is None:
                yield from self._absent(table, source["rows"])
                continue
            if counted(silver) == source:
                continue
            waiting, whole = silver.get("waiting"), silver.get("whole", silver)
            if waiting and waiting["total"]:
                self._wait(table, waiting)
            if counted(whole) != source:
                yield prey(table, max(source["rows"], whole["rows"]), is_table=True)

    def _absent(self, table: Table, rows: int) -> Iterator[Prey]:
        """A table that silver does not have at all."""
        if rows:
            self.lags[table.name] = rows
            self.lagging.append(difference(table.name, None, "silver", "not_merged", rows=rows))
        yield from ()

    def _wait(self, table: Table, waiting: dict[str, Any]) -> None:
        self.lags[table.name] = waiting["total"]
        for each in waiting["keys"]:
            key = named_key(table.key, each["key"], table.personal)
            self.lagging.append(
                difference(table.name, key, "silver", "not_merged", columns=tuple(each["columns"]))
            )

    def _behind(self) -> Generator[Event, None, None]:
        """Evaluates models again at gold's own position, where that is not silver's."""
        late = [m for m in self.what.models if m.staged and self._is_late(m)]
        known = {m.name: self.of_gold[m.name]["position"] for m in late}
        there = self._positions()
        asked = [m for m in late if known[m.name]]
        if not asked:
            return
        yield Started("gold's own position")
        answer = self.spark.answer(
            {
                "generation": self.moment.generation,
                "limit": self.what.limit,
                "models": [m.name for m in asked],
                "positions": there,
                "since": {m.name: there[m.name] for m in asked},
            }
        )
        for entry in answer["models"]:
            self.expected[entry["model"]] = {**self.expected[entry["model"]], "then": entry}
        yield Finished("gold's own position")

    def _positions(self) -> dict[str, dict[str, int | None]]:
        """The silver snapshots that gold has reached, by model."""
        return {m: json.loads(e["position"]) for m, e in self.of_gold.items() if e.get("position")}

    def _is_late(self, model: Model) -> bool:
        """Whether gold differs from what silver says now, and it or a dimension of it has not reached silver."""
        expected, gold = self.expected.get(model.name), self.of_gold[model.name]
        if expected is None or counted(expected) == counted(gold):
            return False
        names = [model.name, *(look.dimension for look in model.lookups)]
        return any(
            self.expected.get(n, {}).get("position") != self.of_gold.get(n, {}).get("position") for n in names
        )

    def _models(self) -> Iterator[Prey]:
        for model in self.what.models:
            gold, expected = self.of_gold[model.name], self.expected.get(model.name)
            if expected is None or counted(gold) == counted(expected):
                if expected is None and gold["rows"]:
                    yield prey(model, gold["rows"], is_table=False)
                continue
            then = expected.get("then")
            if not model.staged or (then is None and not self._is_late(model)):
                yield prey(model, max(gold["rows"], expected["rows"]), is_table=False)
                continue
            self._late(model, expected, then)
            if then is not None and not then.get("error") and counted(then) != counted(gold):
                yield prey(model, max(gold["rows"], then["rows"]), is_table=False)

    def _late(self, model: Model, expected: dict[str, Any], then: dict[str, Any] | None) -> None:
        """What gold has not merged."""
        run = self.warehouse.unmerged().get(model.name)
        layer, reason = ("staging", "not_loaded") if run else ("gold", "not_merged")
        keys = (then or {}).get("keys")
        rows = (then or {}).get("touched", expected["rows"])
        self.lags[model.name] = rows
        more: dict[str, Any] = {"model": model.name, "run_id": run, "columns": ()}
        if not keys:
            self.lagging.append(difference(model.name, None, layer, reason, rows=rows, **more))
        for key in keys or ():
            named = named_key(model.key, key, self._personal(model))
            self.lagging.append(difference(model.name, named, layer, reason, **more))

    def _personal(self, model: Model) -> frozenset[str]:
        from medallion_cli.privacy import personal_columns

        return personal_columns(self.pipeline)[model.name]

    def _described(self, found: list[Prey]) -> None:
        for one in found:
            self.more += max(0, one.total - len(one.keys))
            self.exact = self.exact and one.exact
            describe = self._of_table if one.is_table else self._of_model
            self.differing += [describe(one.of, each) for each in one.keys]  # type: ignore[arg-type]
        self.differing = following(self.differing, self.pipeline)

    def _of_table(self, table: Table, each: dict[str, Any]) -> Difference:
        more = {n: each[n] for n in ("file",) if each.get(n)} | {"rules": tuple(each.get("rules", ()))}
        return difference(
            table.name,
            named_key(table.key, each["key"], table.personal),
            each["layer"],
            each["reason"],
            columns=tuple(each["columns"]),
            **more,
        )

    def _of_model(self, model: Model, each: dict[str, Any]) -> Difference:
        key = named_key(identity(model), each["key"], self._personal(model))
        columns = tuple(each["columns"])
        return difference(model.name, key, "gold", "different", columns=columns, model=model.name)

    def verification(self) -> Verification:
        """What was found."""
        listed = [*self.differing, *(() if self.flows else self.lagging)]
        total = len(self.differing) + self.more + (0 if self.flows else sum(self.lags.values()))
        tables = [self._table_pair(t) for t in self.what.tables]
        models = [self._model_pair(m) for m in self.what.models]
        equal = all(entry["equal"] for entry in [*tables, *models])
        return Verification(
            equal=equal,
            position={"heartbeat": self.heartbeat, "token": self.token, **self.position},
            tables=tables,
            models=models,
            differences=listed[: self.what.limit],
            differences_total=total,
            differences_exact=self.exact,
            waiting=dict(self.lags) if self.flows else {},
        )

    def _table_pair(self, table: Table) -> dict[str, Any]:
        source, silver = self.of_source[table.name], self.of_silver.get(table.name, NOTHING)
        if self.flows and table.name in self.lags:
            silver = silver.get("whole", silver)
        held = counted(silver)
        equal = held == source or (not source["rows"] and not held["rows"])
        return {"table": table.name, **self._equal(equal, True, table.name), "source": source, "silver": held}

    def _model_pair(self, model: Model) -> dict[str, Any]:
        gold, expected = self.of_gold[model.name], self.expected.get(model.name, NOTHING)
        if self.flows and model.name in self.lags:
            then = expected.get("then") or gold
            expected = gold if then.get("error") else then
        held, wanted = counted(gold), counted(expected)
        equal = held == wanted or (not held["rows"] and not wanted["rows"])
        return {
            "model": model.name,
            **self._equal(equal, False, model.name),
            "gold": held,
            "expected": wanted,
        }

    def _equal(self, equal: bool, is_table: bool, name: str) -> dict[str, bool]:
        """Sums that differed, as when a run was at work, are equal when no row differs at the second look."""
        again = not equal and (is_table, name) in self.gone and name not in self.lags
        return {"equal": equal or again, **({"at_second_look": True} if again else {})}


def following(found: list[Difference], pipeline: Pipeline) -> list[Difference]:
    """With those of gold that follow a difference before them: in a table that the model reads, or in its facts."""
    apart = {one.table: one for one in reversed(found)}  # the first of each

    def followed(one: Difference) -> Difference:
        if one.model is None:
            return one
        model = pipeline.model(one.model)
        before = [name for name in (*(entry.table for entry in model.inputs), model.source) if name in apart]
        before = [name for name in before if name != one.model or apart[name].model is None]
        if not before:
            return one
        return replace(one, follows=tuple(before), remedy=apart[before[0]].remedy)

    return [followed(one) for one in found]


def later(work: Callable[[], T]) -> Future[T]:
    """Does it in a thread that nobody waits for when the command is interrupted."""
    found: Future[T] = Future()

    def run() -> None:
        try:
            found.set_result(work())
        except BaseException as error:  # noqa: BLE001 (whoever asks for the result gets it)
            found.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return found
