"""The way from a checksum to the rows that differ: buckets, portions, order of remedies. Engines are dictionaries here."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from medallion_cli.assets import Assets
from medallion_cli.errors import UsageError
from medallion_cli.operations.trace import Tracer, key_of, position
from medallion_cli.operations.verification import buckets
from medallion_cli.operations.verification.findings import Difference, Verification, difference
from medallion_cli.operations.verification.hunt import Hunt, columns_of, one_a_key, prey
from medallion_cli.operations.verification.verify import Look, Scope, following
from medallion_cli.spec import Pipeline, load_pipeline

ROOT = Path(__file__).parents[3]
Rows = dict[str, str]  # key → hashes of its columns


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """The shipped one."""
    return load_pipeline(Assets.find(ROOT))


def bucket_of(key: str) -> str:
    return hashlib.md5(key.encode()).hexdigest()


def digests(rows: Rows, digits: int, prefixes: Sequence[str]) -> dict[str, str]:
    """What an engine says of buckets."""
    found: dict[str, list[str]] = defaultdict(list)
    for key, cells in rows.items():
        if not any(prefixes) or bucket_of(key).startswith(tuple(prefixes)):
            found[bucket_of(key)[:digits]].append(cells)
    return {name: f"{len(each)}:{hash(frozenset(each))}" for name, each in found.items()}


class Engine:
    """Source and Spark in one: the rows of each side of one table, and what was asked."""

    def __init__(self, source: Rows, silver: Rows) -> None:
        self.source, self.silver = source, silver
        self.read = 0
        self.jobs = 0

    def digests(self, table: str, digits: int, prefixes: Sequence[str], token: str) -> dict[str, str]:
        return digests(self.source, digits, prefixes)

    def cells(self, table: str, prefixes: Sequence[str], token: str) -> list[Any]:
        rows = [[[k], c] for k, c in self.source.items() if bucket_of(k).startswith(tuple(prefixes) or "")]
        self.read += len(rows)
        assert len(rows) <= buckets.ANSWER_ROWS
        return rows

    def answer(self, request: Mapping[str, Any], files: Mapping[str, Any]) -> dict[str, Any]:
        self.jobs += 1
        told = [
            {"table": e["table"], "digests": digests(self.silver, e["digits"], e["prefixes"])}
            for e in request["digests"]
        ]
        rows = [self._differing(entry, files[f"rows-{entry['token']}"]["rows"]) for entry in request["rows"]]
        return {"digests": told, "rows": rows}

    def _differing(self, entry: Mapping[str, Any], given: list[Any]) -> dict[str, Any]:
        theirs = {key[0]: cells for key, cells in given}
        own = {
            k: c for k, c in self.silver.items() if bucket_of(k).startswith(tuple(entry["prefixes"]) or "")
        }
        apart = sorted(k for k in {*theirs, *own} if theirs.get(k) != own.get(k))
        keys = [{"key": [k], "columns": []} for k in apart[: entry["limit"]]]
        return {"table": entry["table"], "total": len(apart), "keys": keys}


def hunted(engine: Engine, pipeline: Pipeline, limit: int = 20) -> Any:
    found = prey(pipeline.table("brands"), max(len(engine.source), len(engine.silver)), is_table=True)
    hunt = Hunt(engine, engine, None, {}, lambda seen: None, set, limit)  # type: ignore[arg-type]
    for _ in hunt.follow([found]):
        pass
    return found


def table(rows: int) -> Rows:
    return {str(n): f"{n:08x}{n:08x}" for n in range(rows)}


@pytest.mark.parametrize("rows", [10, 3_000, 20_000])
def test_one_changed_cell_is_found_without_reading_the_table(rows: int, pipeline: Pipeline) -> None:
    engine = Engine(table(rows), table(rows) | {"7": "0000000700000008"})
    found = hunted(engine, pipeline)
    assert [each["key"] for each in found.keys] == [["7"]]
    assert (found.total, found.exact) == (1, True)
    assert engine.read <= buckets.READABLE
    assert engine.jobs <= 3


def test_rows_that_only_one_side_has_are_found(pipeline: Pipeline) -> None:
    engine = Engine(table(5_000), {k: c for k, c in table(5_001).items() if k != "11"})
    found = hunted(engine, pipeline)
    assert [each["key"] for each in found.keys] == [["11"], ["5000"]]


def test_of_many_differences_the_first_are_listed_and_all_are_counted(pipeline: Pipeline) -> None:
    found = hunted(Engine(table(9_000), dict.fromkeys(table(9_000), "x")), pipeline, limit=3)
    assert (len(found.keys), found.total, found.exact) == (3, 9_000, True)


def test_a_table_that_differs_throughout_is_read_in_part_and_says_so(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "MOST_ROWS", 4_000)
    engine = Engine(table(30_000), {})
    found = hunted(engine, pipeline)
    assert not found.exact
    assert 0 < found.total < 30_000
    assert engine.read <= 4_000


def test_a_difference_that_is_gone_when_it_is_looked_into_is_none(pipeline: Pipeline) -> None:
    found = hunted(Engine(table(3_000), table(3_000)), pipeline)
    assert (found.total, found.keys) == (0, [])


def test_buckets_that_stay_large_are_split_further() -> None:
    search = buckets.begin("t", 100_000_000)
    assert (search.digits, search.ready) == (3, False)
    narrower = buckets.narrowed(search, {"abc": "24000:1", "abd": "3:1"}, {"abc": "24001:2", "abd": "3:1"})
    assert narrower is not None
    assert (narrower.prefixes, narrower.digits, narrower.ready) == (("abc",), 5, False)
    ready = buckets.narrowed(narrower, {"abc01": "90:1"}, {"abc01": "91:2"})
    assert ready is not None
    assert ready.ready


def test_answers_of_the_lambda_stay_small() -> None:
    search = buckets.Search("t", 90_000, 5, ("a", "b", "c"), (30_000, 30_000, 30_000))
    assert list(buckets.portions(search, 3, 1)) == [("a",), ("b",), ("c",)]
    wide = buckets.Search("t", 90_000, 5, ("a", "b"), (9_000, 9_000))
    assert list(buckets.portions(wide, 3, 1)) == [("a", "b")]
    assert list(buckets.portions(wide, 40, 1)) == [("a",), ("b",)]


def test_columns_are_named_by_their_hashes() -> None:
    assert columns_of("0000000011111111", "0000000022222222", ["a", "b"]) == ["b"]
    assert columns_of(None, "0000000022222222", ["a", "b"]) == []


def test_a_row_that_is_there_twice_differs_in_no_column() -> None:
    twice = one_a_key([[["1"], "00000000"], [["1"], "00000000"], [["2"], "11111111"]])
    assert twice == {("1",): "00000000#2", ("2",): "11111111"}
    assert columns_of(twice[("1",)], "00000000", ["a"]) == []


def found(*differences: Difference) -> Verification:
    return Verification(False, {}, [], [], list(differences), len(differences))


def test_what_is_first_in_the_pipeline_is_mended_first(pipeline: Pipeline) -> None:
    gold = difference("fact_sales", {"order_id": "1"}, "gold", "different", model="fact_sales")
    silver = difference("orders", {"order_id": "1"}, "silver", "different")
    bronze = difference("payments", {"payment_id": "1"}, "bronze", "missing_in_bronze")
    assert found(gold, silver, bronze).first == bronze
    assert gold.remedy == "medallion run --layer gold --full"
    assert (gold.code, silver.code, bronze.code) == ("MED-VER-003", "MED-VER-002", "MED-VER-001")
    after = following([silver, gold], pipeline)
    assert (after[1].follows, after[1].remedy) == (("orders",), silver.remedy)
    assert following([bronze, gold], pipeline)[1] == gold


def test_an_aggregate_follows_its_facts(pipeline: Pipeline) -> None:
    fact = difference("fact_sales", {"order_id": "1"}, "gold", "different", model="fact_sales")
    total = difference("agg_customer", {"customer_id": "1"}, "gold", "different", model="agg_customer")
    assert following([fact, total], pipeline)[1].follows == ("fact_sales",)


def test_remedies_name_the_environment(pipeline: Pipeline) -> None:
    silver = difference("orders", {"order_id": "1"}, "silver", "different")
    (one,) = found(silver).spelled("medallion --env dev").differences
    assert one.remedy == "medallion --env dev replicate reload --yes && medallion --env dev run"


def test_a_key_is_checked_before_anything_is_asked(pipeline: Pipeline) -> None:
    assert key_of(pipeline.table("order_items"), "7,1") == {"order_id": "7", "line_no": "1"}
    with pytest.raises(UsageError, match="'seven' is no bigint"):
        key_of(pipeline.table("customers"), "seven")
    with pytest.raises(UsageError, match="the key is order_id, line_no"):
        key_of(pipeline.table("order_items"), "7")


def test_a_position_is_told_in_words() -> None:
    told = position("g0001", f"{3:016d}{1234:012d}{2:07d}")
    assert told["text"] == "g0001, binlog file 3 at 1234, row 2"
    assert position("g0002", "")["text"] == "g0002, full load"
    of_dms = position("g0001", f"2026010203040567{8:019d}")
    assert of_dms["text"] == "g0001, change 8 of 2026-01-02T03:04:05.67Z"
    assert position("g0001", "20260101")["text"] == "g0001, change 20260101"


SUM = {"rows": 3, "checksum": "3:1:1:1:1"}
OLD = {"rows": 2, "checksum": "2:1:1:1:1"}
THERE, HERE = '{"payments":1}', '{"payments":2}'
WAITS = {"changes": 4, "total": 1, "keys": [{"key": ["7"], "columns": ["amount"]}]}


@dataclass
class Layers:
    """All three engines: what each says of `payments` and of `fact_payments`."""

    silver: dict[str, Any] = field(default_factory=lambda: dict(SUM))
    gold: dict[str, Any] = field(default_factory=lambda: {**SUM, "position": HERE})
    then: dict[str, Any] = field(default_factory=lambda: dict(OLD))
    staged: dict[str, str] = field(default_factory=dict)
    captured: list[int] = field(default_factory=lambda: [5, 5])
    runs: bool = True
    generation: str = "g0001"

    def beats(self) -> set[str]:
        return set()

    def awaited(self, seen: set[str], broken: object = None) -> None:
        pass

    def changes(self) -> int:
        return self.captured.pop(0)

    def checksums(self, given: Any, token: str | None = None) -> Any:
        if token is None:
            return {"fact_payments": self.gold}, {}
        return {"heartbeat": 1, "tables": {"payments": SUM}}

    def answer(self, request: Mapping[str, Any], files: object = None) -> dict[str, Any]:
        if "positions" in request:
            return {"models": [{"model": "fact_payments", **self.then, "touched": 1, "keys": [["7"]]}]}
        return {
            "tables": [{"table": "payments", **self.silver}],
            "models": [{"model": "fact_payments", **SUM, "position": HERE}],
            "positions": {},
        }

    def unmerged(self) -> dict[str, str]:
        return self.staged


def judged(layers: Layers, pipeline: Pipeline) -> Verification:
    what = Scope((pipeline.table("payments"),), (pipeline.model("fact_payments"),), _all=pipeline.models)
    look = Look(what, pipeline, *[layers] * 4)  # type: ignore[arg-type]
    for _ in look.sums():
        pass
    for _ in look.judge():
        pass
    return look.verification()


def told(verification: Verification) -> list[tuple[str, str, str, str]]:
    return [(d.layer, d.reason, d.code, *(d.key or {}).values()) for d in verification.differences]  # type: ignore[misc]


def test_three_equal_layers_are_equal(pipeline: Pipeline) -> None:
    found = judged(Layers(), pipeline)
    assert (found.equal, found.differences, found.waiting) == (True, [], {})


def test_what_waits_is_a_difference_while_the_source_is_quiet(pipeline: Pipeline) -> None:
    found = judged(Layers(silver={**OLD, "whole": SUM, "waiting": WAITS}), pipeline)
    assert not found.equal
    assert told(found) == [("silver", "not_merged", "MED-VER-004", "7")]
    assert found.differences[0].remedy == "medallion run"


def test_what_waits_is_told_and_not_counted_while_changes_flow(pipeline: Pipeline) -> None:
    flowing = Layers(silver={**OLD, "whole": SUM, "waiting": WAITS}, captured=[5, 9])
    flowing.gold = {**OLD, "position": THERE}
    found = judged(flowing, pipeline)
    assert (found.equal, found.differences) == (True, [])
    assert found.waiting == {"payments": 1, "fact_payments": 1}
    assert found.tables[0]["silver"] == SUM


def test_gold_that_is_behind_waits_for_a_run_or_for_the_merge_of_what_is_staged(pipeline: Pipeline) -> None:
    behind = {**OLD, "position": THERE}
    assert told(judged(Layers(gold=dict(behind)), pipeline)) == [("gold", "not_merged", "MED-VER-004", "7")]
    found = judged(Layers(gold=dict(behind), staged={"fact_payments": "run-9"}), pipeline)
    assert told(found) == [("staging", "not_loaded", "MED-VER-005", "7")]
    assert (found.differences[0].run_id, found.differences[0].remedy) == ("run-9", "medallion merge")


CHANGE = {
    "_op": "U",
    "_generation": "g0001",
    "_seq": "",
    "_commit_ts": "2026-01-02T03:04:05.000000Z",
    "_bronze_file": "g0001/shop/customers/LOAD00000001.parquet",
    "_bronze_row": 4,
    "_failed": None,
    "_valid": True,
    "committed_at": "2026-01-02T03:05:00.000Z",
    "snapshot": 7,
    "values": {"customer_id": "1", "email": "a@b.example", "phone": None, "country": "DE"},
}
RUNS = [
    {"run_id": "run-2", "from": "2026-01-02T03:06:00+00:00", "to": "2026-01-02T03:07:00+00:00"},
    {"run_id": "run-1", "from": "2026-01-02T03:04:30+00:00", "to": "2026-01-02T03:05:30+00:00"},
]


@pytest.mark.parametrize(("shows", "email"), [(False, "***"), (True, "a@b.example")])
def test_a_life_shows_nothing_personal_unless_it_is_asked_to(
    pipeline: Pipeline, shows: bool, email: str
) -> None:
    tracer = Tracer(None, {}, None, pipeline, None, None, shows)  # type: ignore[arg-type]
    told = tracer._change(pipeline.table("customers"), CHANGE, RUNS)
    assert told["values"] == {"customer_id": "1", "email": email, "phone": None, "country": "DE"}
    assert (told["run_id"], told["silver"]["snapshot"]) == ("run-1", 7)
    assert told["bronze"] == {"file": CHANGE["_bronze_file"], "row": 4, "there": True}
