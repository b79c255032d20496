"""Simulated faults: what they make of rows and files, and that they outlive a process and are spent."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medallion_cli.cli import main
from medallion_cli.local.replication.binlog import Rows
from medallion_cli.local.replication.faults import ReplicationFault
from medallion_cli.local.replication.simulation import (
    add_simulation,
    clear_simulations,
    read_simulations,
)
from medallion_cli.local.replication.simulator import Simulator, again, table_of
from medallion_cli.local.replication.source import Position

ORDERS = "g0001/shop/orders/2026/11/23/20261123-101530123.parquet"
LATER = "g0001/shop/orders/2026/11/23/20261123-101531123.parquet"
BRANDS = "g0001/shop/brands/2026/11/23/20261123-101530123.parquet"


def rows(op: str = "I", micros: int = 5, table: str = "shop.orders") -> Any:
    shape: Any = SimpleNamespace(name=table, key=(0,))
    mapped: Any = SimpleNamespace(shape=shape)
    return Rows(mapped, op, [], [(1, "x")], Position(1, 4), micros, 10)


@pytest.fixture
def simulator(tmp_path: Path) -> Simulator:
    (tmp_path / "staging").mkdir()
    return Simulator(tmp_path, tmp_path / "staging")


def test_without_simulations_nothing_is_changed(simulator: Simulator) -> None:
    given = rows()
    assert simulator.rows(given) is given
    assert simulator.files([("a", ORDERS)], [], 7) == ([("a", ORDERS)], [], 7)
    simulator.done()


def test_ties_share_the_first_commit_time_of_their_batch(simulator: Simulator, tmp_path: Path) -> None:
    add_simulation(tmp_path, "ties", "%", 1)
    assert [simulator.rows(rows(micros=m)).micros for m in (5, 9, 7)] == [5, 5, 5]
    simulator.done()
    assert simulator.rows(rows(micros=9)).micros == 9


def test_deletes_and_inserts_lose_what_is_asked_for(simulator: Simulator, tmp_path: Path) -> None:
    add_simulation(tmp_path, "key-only-delete", "shop.orders", 1)
    add_simulation(tmp_path, "null-op", "shop.orders", 1)
    assert simulator.rows(rows("D")).images == [(1, None)]
    assert simulator.rows(rows("I")).op == ""
    assert simulator.rows(rows("U")) == rows("U")
    assert simulator.rows(rows("D", table="shop.brands")).images == [(1, "x")]


def test_a_late_file_comes_after_the_tables_next_one(simulator: Simulator, tmp_path: Path) -> None:
    add_simulation(tmp_path, "late", "shop.orders", 1)
    out, held, _ = simulator.files([("a", ORDERS), ("b", BRANDS)], [], 7)
    assert (out, held) == ([("b", BRANDS)], [("a", ORDERS)])
    simulator.done()
    assert read_simulations(tmp_path) == []


def test_what_is_held_waits_for_its_own_table_until_it_is_cleared(
    simulator: Simulator, tmp_path: Path
) -> None:
    add_simulation(tmp_path, "late", "shop.orders", 1)
    _, held, _ = simulator.files([("a", ORDERS)], [], 7)
    simulator.done()
    assert simulator.files([("b", BRANDS)], held, 7)[1] == held
    assert simulator.files([("c", LATER)], [("a", ORDERS)], 7)[0] == [("c", LATER), ("a", ORDERS)]
    clear_simulations(tmp_path)
    assert simulator.files([], [("a", ORDERS)], 7)[:2] == ([("a", ORDERS)], [])


def test_a_duplicate_has_a_name_of_its_own(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "staging/a").write_bytes(b"rows")
    add_simulation(tmp_path, "duplicate", "shop.orders", 1)
    out, _, last = simulator.files([("a", ORDERS)], [], 1_790_000_000_000)
    assert (tmp_path / "staging" / out[1][0]).read_bytes() == b"rows"
    assert (out[1][1], last) == (again(ORDERS, 1_790_000_000_001), 1_790_000_000_001)


def test_a_failure_is_spent_before_it_is_told(simulator: Simulator, tmp_path: Path) -> None:
    add_simulation(tmp_path, "fail", "%", 1, "out of disk")
    with pytest.raises(ReplicationFault, match="out of disk"):
        simulator.fail()
    simulator.fail()
    assert read_simulations(tmp_path) == []


def test_the_heartbeat_tells_the_truth(simulator: Simulator, tmp_path: Path) -> None:
    add_simulation(tmp_path, "late", "%", 1)
    key = "g0001/medallion/heartbeat/2026/11/23/20261123-101530123.parquet"
    assert simulator.files([("h", key)], [], 7)[1] == []


def test_they_outlive_a_process_and_are_counted_down(tmp_path: Path, simulator: Simulator) -> None:
    add_simulation(tmp_path, "suspend", "shop.orders", 1)
    add_simulation(tmp_path, "null-op", "%", 2)
    assert simulator.suspends("shop.orders")
    assert not simulator.suspends("shop.brands")
    simulator.rows(rows("I"))
    simulator.done()
    assert [(s.number, s.left) for s in read_simulations(tmp_path)] == [(2, 1)]
    assert [s.kind for s in clear_simulations(tmp_path)] == ["null-op"]


def test_a_key_names_its_table() -> None:
    assert [table_of(k) for k in (ORDERS, "shop/orders/20261123-101530123.parquet")] == ["shop.orders"] * 2


def test_nothing_is_simulated_where_nothing_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEDALLION_STATE_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as stop:
        main(["local", "simulate", "ties"])
    assert stop.value.code == 2
    assert "environment local is not up" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
