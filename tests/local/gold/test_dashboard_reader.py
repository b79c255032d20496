"""QuickSight's user on the real engine: it reads what the dashboard shows, and nothing personal; its password can change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gold_case import Gold, fresh, small

from medallion_cli.assets import Assets
from medallion_cli.dashboard import load_dashboard
from medallion_cli.operations.dashboard_user import statements
from medallion_cli.operations.quicksight import data_sets

pytestmark = pytest.mark.engine
USER = "medallion_dashboard"


@pytest.fixture
def gold(empty: Any) -> Iterator[Gold]:
    made = small(fresh(empty, Assets.find()))
    made.run()
    for sql in statements(USER, "First-Password-1", known=False):
        made.warehouse.run(sql)
    yield made
    made.warehouse.run(f"DROP USER {USER}")


def asked(gold: Gold, password: str, sql: str) -> Any:
    session = gold.warehouse.engine.session(user=USER, password=password)
    try:
        return session.execute(sql).rows
    finally:
        session.close()


def test_the_dashboards_user_reads_every_data_set_and_nobodys_address(gold: Gold) -> None:
    for data_set in data_sets(load_dashboard(Assets.find())):
        asked(gold, "First-Password-1", data_set.sql)
    for forbidden in ("gold.dim_customer", "staging.dim_customer", "etl.load"):
        with pytest.raises(Exception, match="permission denied"):
            asked(gold, "First-Password-1", f"SELECT * FROM {forbidden}")
    for sql in statements(USER, "Second-Password-2", known=True):
        gold.warehouse.run(sql)
    assert asked(gold, "Second-Password-2", "SELECT 1") == [("1",)]
    with pytest.raises(Exception, match=r"(?i)password"):
        asked(gold, "First-Password-1", "SELECT 1")
