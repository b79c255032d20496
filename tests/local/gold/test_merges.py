"""Merging on the real engine: incremental ends where full does, twice is once, out of order is refused."""

from __future__ import annotations

import contextlib
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gold_case import PLAIN, START, Gold, Transport, fresh, small

from medallion_cli.assets import Assets
from medallion_cli.dashboard import load_dashboard
from medallion_cli.operations import merge
from medallion_cli.spec import load_pipeline
from medallion_cli.warehouse import bootstrap_statements

pytestmark = pytest.mark.engine
SAKILA = Path(__file__).resolve().parents[2] / "projects" / "sakila"


@pytest.fixture
def gold(empty: Any) -> Gold:
    return fresh(empty, Assets.find())


def surrogates(gold: Gold) -> list[tuple[str, ...]]:
    sql = "SELECT order_id, line_no, customer_sk, product_sk FROM gold.fact_sales ORDER BY 1, 2"
    return [tuple(row) for row in gold.warehouse.run(sql)]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_incremental_merges_end_where_a_full_load_does(gold: Gold, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(6):
        gold.change_at_random(chance)
        before = {name: len(gold.rows(name)) for name in PLAIN}
        run_id = gold.run()
        for model, (inserted, _, deleted, after) in gold.load(run_id).items():
            assert after == before[model] + inserted - deleted == len(gold.rows(model)), model
    incremental = gold.snapshot()
    gold.run(full=True)
    assert gold.snapshot() == incremental
    gold.warehouse.run("DELETE FROM gold.fact_sales")
    gold.run("fact_sales", full=True)
    assert gold.snapshot() == incremental
    assert gold.rows("fact_sales")
    assert gold.rows("agg_customer")


@pytest.mark.parametrize("seed", [11, 12])
def test_models_merged_one_at_a_time_end_the_same(gold: Gold, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(4):
        gold.change_at_random(chance)
        for model in ("dim_customer", "fact_sales", "dim_product"):
            run_id = f"single-{number}-{model}"
            gold.stage(run_id, model, full=model not in gold.staged)
            gold.warehouse.run(f"CALL gold.merge_{model}('{run_id}')")
    gold.warehouse.run("CALL gold.merge_run('last', 'all')")
    found = gold.snapshot()
    gold.run(full=True)
    assert gold.snapshot() == found


def test_counts_are_exact(gold: Gold) -> None:
    assert gold.load(small(gold).run()) == {
        "dim_customer": (1, 0, 0, 1),
        "dim_product": (1, 0, 0, 1),
        "fact_sales": (2, 0, 0, 2),
        "agg_sales_daily": (1, 0, 0, 1),
        "agg_sales_product_monthly": (2, 0, 0, 2),
        "agg_customer": (1, 0, 0, 1),
    }
    gold.sale(1, 1, customer=1, product=1, quantity=3, day=40)
    gold.sale(2, 1, customer=2, product=1, quantity=3, day=41)
    gold.forget_sale(1, 2)
    assert gold.load(gold.run()) == {
        "fact_sales": (1, 1, 1, 2),
        "agg_sales_daily": (1, 1, 0, 2),
        "agg_sales_product_monthly": (0, 1, 1, 1),
        "agg_customer": (1, 1, 0, 2),
    }
    gold.customer(1, "Ada", "Ada K", since=START)
    assert gold.load(gold.run())["dim_customer"] == (1, 1, 0, 2)
    state = gold.warehouse.run("SELECT model, rows FROM etl.model_state ORDER BY model")
    assert ("fact_sales", "2") in state
    assert len(state) == 6


@pytest.mark.parametrize("full", [False, True])
def test_rows_staged_as_they_are_count_as_nothing(gold: Gold, full: bool) -> None:
    small(gold).run()
    before = gold.snapshot()
    model = gold.pipeline.model("fact_sales")
    rows = [row for key, found in gold.world["fact_sales"].items() for row in gold._rows(model, key, found)]
    gold.put("again", model, rows, full=full, position="known")
    gold.warehouse.run("CALL gold.merge_run('again', 'all')")
    assert {counts[:3] for counts in gold.load("again").values()} == {(0, 0, 0)}
    assert gold.snapshot() == before


def test_a_value_that_becomes_null_counts_as_an_update(gold: Gold) -> None:
    small(gold).run()
    sale = gold.world["fact_sales"][(1, 1)][0]
    gold.world["fact_sales"][(1, 1)] = [{**sale, "unit_price": None}]
    assert gold.load(gold.run())["fact_sales"] == (0, 1, 0, 2)


def test_a_late_dimension_is_unknown_first_and_found_later(gold: Gold) -> None:
    small(gold).run()
    assert surrogates(gold) == [("1", "1", "1001", "1001"), ("1", "2", "1001", "-1")]
    gold.product(9, "5.00")
    run_id = gold.run()
    assert surrogates(gold)[1] == ("1", "2", "1001", "9001")
    assert gold.load(run_id) == {
        "dim_product": (1, 0, 0, 2),
        "fact_sales": (0, 1, 0, 2),
        "agg_sales_daily": (0, 0, 0, 1),
        "agg_sales_product_monthly": (1, 0, 1, 2),
        "agg_customer": (0, 0, 0, 1),
    }
    gold.product(9)
    gold.run()
    assert surrogates(gold)[1][3] == "-1"


def test_a_fact_finds_the_version_of_its_moment_or_the_first_one(gold: Gold) -> None:
    gold.customer(1, "a", "b", "c", since=START + timedelta(days=10))
    for order, day in enumerate([1, 10, 11, 30], 1):
        gold.sale(order, 1, customer=1, product=1, quantity=1, day=day)
    gold.run()
    offset = int(timedelta(days=10).total_seconds()) * 1_000_000
    assert [int(row[2]) - offset for row in surrogates(gold)] == [1001, 1001, 1002, 1003]


def test_merging_twice_changes_nothing(gold: Gold) -> None:
    run_id = small(gold).run()
    ledger = "SELECT * FROM etl.load ORDER BY model"
    before, loads = gold.snapshot(), gold.warehouse.run(ledger)
    gold.warehouse.run(f"CALL gold.merge_run('{run_id}', 'all')")
    gold.warehouse.run("CALL gold.merge_run('a run that staged nothing', 'all')")
    assert gold.snapshot() == before
    assert gold.warehouse.run(ledger) == loads


def test_a_run_that_is_retried_after_its_merge_merges_what_it_has_staged_since(gold: Gold) -> None:
    small(gold).run()
    gold.sale(1, 1, customer=1, product=1, quantity=3, day=40)
    gold.stage("r", "fact_sales")
    gold.warehouse.run("CALL gold.merge_run('r', 'all')")
    first = gold._position("fact_sales")
    gold.sale(2, 1, customer=2, product=1, quantity=1, day=41)
    gold.stage("r", "fact_sales")
    gold.warehouse.run("UPDATE etl.staged SET to_position = 'further' WHERE model = 'fact_sales'")
    entry = {"model": "fact_sales", "from": first, "to": "further"}
    step = {"run_id": "r", "models": [entry | {"hash": gold.pipeline.model("fact_sales").select_hash}]}
    transport: Any = Transport(gold.warehouse)
    assert merge._loaded(transport, step) == set()
    for _ in range(2):
        gold.warehouse.run("CALL gold.merge_run('r', 'all')")
        assert merge._loaded(transport, step) == {"fact_sales"}
        assert gold.load("r")["fact_sales"] == (1, 1, 0, 3)
        assert gold.load("r")["agg_sales_daily"] == (1, 1, 0, 2)
        ledger = "SELECT from_position, to_position, staged_rows FROM etl.load WHERE run_id = 'r' AND model = 'fact_sales'"
        assert gold.warehouse.run(ledger) == [("after run-1", "further", "2")]
    incremental = gold.snapshot()
    gold.run(full=True)
    assert gold.snapshot() == incremental


def test_a_run_out_of_order_is_refused_and_leaves_everything_as_it_was(gold: Gold) -> None:
    small(gold).run()
    before = gold.snapshot()
    gold.customer(1, "Ada", "Ada K")
    gold.sale(3, 1, customer=1, product=1, quantity=1, day=50)
    gold.stage("late", "dim_customer")
    gold.stage("late", "fact_sales", position="after some other run")
    with pytest.raises(Exception, match="restage: run `medallion run --layer gold`"):
        gold.warehouse.run("CALL gold.merge_run('late', 'all')")
    assert gold.snapshot() == before
    assert gold.load("late") == {}


def test_a_run_in_full_that_another_came_after_does_not_take_gold_back(gold: Gold) -> None:
    small(gold).run()
    stood = gold._position("fact_sales")
    model, old = gold.pipeline.model("fact_sales"), dict(gold.world["fact_sales"])
    gold.sale(3, 1, customer=1, product=1, quantity=1, day=50)
    gold.run()
    before = gold.snapshot()
    rows = [row for key, found in old.items() for row in gold._rows(model, key, found)]
    gold.put("old", model, rows, full=True, position=stood)
    with pytest.raises(Exception, match="restage: run `medallion run --layer gold`"):
        gold.warehouse.run("CALL gold.merge_run('old', 'all')")
    assert gold.snapshot() == before


def test_a_key_staged_twice_is_refused(gold: Gold) -> None:
    small(gold).run()
    before = gold.snapshot()
    for name in ("fact_sales", "dim_product"):
        model = gold.pipeline.model(name)
        gold.stage("twice", name, full=True)
        row = gold._rows(model, *next(iter(gold.world[name].items())))[0]
        gold.put("twice", model, [row, row], full=True, position="known")
        with pytest.raises(Exception, match="staged more than once"):
            gold.warehouse.run(f"CALL gold.merge_run('twice', '{name}')")
    assert gold.snapshot() == before


def test_staging_that_lost_rows_is_refused(gold: Gold) -> None:
    small(gold).stage("short", "fact_sales", full=True)
    gold.warehouse.run("DELETE FROM staging.fact_sales WHERE line_no = 2")
    with pytest.raises(Exception, match="staging holds 1 rows, run short staged 2"):
        gold.warehouse.run("CALL gold.merge_run('short', 'all')")


def test_a_staged_run_survives_another_bootstrap(gold: Gold) -> None:
    small(gold).run()
    gold.sale(3, 1, customer=1, product=1, quantity=1, day=50)
    gold.stage("waiting", "fact_sales")
    gold.bootstrap()
    gold.warehouse.run("CALL gold.merge_run('waiting', 'all')")
    assert gold.load("waiting")["fact_sales"] == (1, 0, 0, 3)


def test_an_aggregate_with_another_select_is_computed_in_full(gold: Gold) -> None:
    small(gold).run()
    before = gold.snapshot()
    gold.warehouse.run("UPDATE etl.position SET select_hash = 'older' WHERE model = 'agg_customer'")
    gold.warehouse.run("UPDATE gold.agg_customer SET revenue = 0")
    gold.warehouse.run("CALL gold.merge_run('next', 'all')")
    assert gold.snapshot() == before
    gold.warehouse.run("UPDATE gold.agg_customer SET revenue = 0")
    gold.warehouse.run("CALL gold.merge_agg_customer('by hand')")
    assert gold.snapshot() == before


@pytest.mark.parametrize("models", ["nothing", "dim_customer,dim_costumer"])
def test_an_unknown_model_is_an_error_and_merges_nothing(gold: Gold, models: str) -> None:
    small(gold).stage("r", "dim_customer", full=True)
    with pytest.raises(Exception, match=f"no model {models}"):
        gold.warehouse.run(f"CALL gold.merge_run('r', '{models}')")
    assert gold.rows("dim_customer") == []


def test_a_merge_under_way_is_seen_by_nobody(gold: Gold) -> None:
    small(gold).run()
    before = gold.snapshot()
    gold.customer(1, "Ada", "Ada K")
    gold.sale(5, 1, customer=1, product=1, quantity=1, day=45)
    gold.stage("r", "dim_customer")
    gold.stage("r", "fact_sales")
    with contextlib.closing(gold.warehouse.engine.session()) as other:
        other.execute("BEGIN")
        other.execute("CALL gold.merge_run('r', 'all')")
        assert gold.snapshot() == before
        other.execute("COMMIT")
    assert {name for name in PLAIN if gold.snapshot()[name] != before[name]} == set(PLAIN) - {"dim_product"}


def test_merges_of_different_models_wait_for_one_another(gold: Gold) -> None:
    """A fact merged beside its dimension would look its keys up in what the dimension was."""
    gold.product(9, "5.00")
    gold.sale(1, 1, customer=1, product=9, quantity=1, day=45)
    gold.stage("r", "dim_product", full=True)
    gold.stage("r", "fact_sales", full=True)
    engine = gold.warehouse.engine
    with (
        contextlib.closing(engine.session()) as first,
        contextlib.closing(engine.session()) as second,
        ThreadPoolExecutor(1) as pool,
    ):
        first.execute("BEGIN")
        first.execute("CALL gold.merge_run('r', 'dim_product')")
        waiting = pool.submit(second.execute, "CALL gold.merge_run('r', 'fact_sales')")
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.5)
        first.execute("COMMIT")
        with pytest.raises(Exception, match="1023"):
            waiting.result(timeout=30)
        second.execute("CALL gold.merge_run('r', 'fact_sales')")
    assert surrogates(gold) == [("1", "1", "-1", "9001")]


def test_every_visual_answers_with_the_columns_that_it_names(gold: Gold) -> None:
    small(gold).run()
    for visual in load_dashboard(gold.assets).visuals:
        result = gold.warehouse.session.execute(visual.query(), ())
        names = {column.name for column in result.columns}
        wanted = {measure.column for measure in visual.measures} or {visual.x, visual.y}
        assert wanted <= names, visual.id
        assert len(result.rows) >= 1, visual.id
        for each in visual.slices:  # what the page's filters leave adds up to what is shown without them
            rows = gold.warehouse.run(visual.slice_query(each, 100))
            assert sum(Decimal(row[-len(visual.sums(each))]) for row in rows) == Decimal("7.30"), visual.id
    total = gold.warehouse.run(
        "SELECT revenue, orders, customers, average_order_value FROM gold.v_total_sales"
    )
    assert total == [("7.30", "1", "1", "7.30")]
    brands = gold.warehouse.run("SELECT brand_name, revenue FROM gold.v_revenue_by_brand ORDER BY 1")
    assert brands == [("Acme", "4.90"), ("Unknown brand", "2.40")]


def test_segments_put_the_best_customers_first(gold: Gold) -> None:
    for number in range(1, 11):
        for order in range(number):
            gold.sale(number * 100 + order, 1, customer=number, product=1, quantity=number, day=number)
    gold.run()
    segments = dict(gold.warehouse.run("SELECT customer_id, segment FROM gold.v_customer_segments"))
    assert (segments["10"], segments["1"]) == ("Champions", "Hibernating")
    days = gold.warehouse.run("SELECT MIN(recency_days), MAX(recency_days) FROM gold.v_customer_segments")
    assert days == [("0", "9")]


def test_the_calendar_is_whole_and_filled_once(gold: Gold) -> None:
    gold.bootstrap()
    found = gold.warehouse.run(
        "SELECT COUNT(*), COUNT(DISTINCT date_day), MIN(date_day), MAX(date_day) FROM gold.dim_date"
    )
    days = (datetime(2035, 12, 31) - datetime(2015, 1, 1)).days + 1
    assert found == [(str(days), str(days), "2015-01-01", "2035-12-31")]


def test_somebody_elses_project_merges_and_aggregates(empty: Any) -> None:
    assets = Assets.find(SAKILA)
    gold = fresh(empty, assets)
    assert load_dashboard(assets).visuals == ()
    assert not [s.name for s in bootstrap_statements(load_pipeline(assets), assets) if "dim_date" in s.sql]
    actor, fact = gold.pipeline.model("actor"), gold.pipeline.model("fact_payment")
    gold.put("r1", actor, [["U", 1, "PENELOPE", "GUINESS", START]], full=True, position=None)
    payment = ["U", 1, 1, 1, 1, 1, 5, "ACADEMY", "2.99", START]
    gold.put("r1", fact, [payment, [*payment[:1], 2, *payment[2:]]], full=True, position=None)
    gold.warehouse.run("CALL gold.merge_run('r1', 'all')")
    assert gold.load("r1") == {
        "actor": (1, 0, 0, 1),
        "fact_payment": (2, 0, 0, 2),
        "agg_film_revenue": (1, 0, 0, 1),
    }
    gold.put(
        "r2",
        actor,
        [["U", 1, "PENNY", "GUINESS", START], ["U", 2, "NICK", "W", START]],
        full=False,
        position="after r1",
    )
    gold.put("r2", fact, [["D", 1, *[None] * 8]], full=False, position="after r1")
    gold.warehouse.run("CALL gold.merge_run('r2', 'all')")
    assert gold.load("r2") == {
        "actor": (1, 1, 0, 2),
        "fact_payment": (0, 0, 1, 1),
        "agg_film_revenue": (0, 1, 0, 1),
    }
    assert gold.warehouse.run("SELECT film_id, payments, revenue FROM gold.agg_film_revenue") == [
        ("5", "1", "2.99")
    ]
