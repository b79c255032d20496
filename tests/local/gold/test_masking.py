"""Two people on the real engine: an analyst sees gold with stars, a privileged one sees it as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gold_case import Gold, fresh, small

from medallion_cli.assets import Assets

pytestmark = pytest.mark.engine
PEOPLE = {"ann": "medallion_analyst", "pia": "medallion_privileged"}
PASSWORD = "Reader-Password-1"


@pytest.fixture
def gold(empty: Any) -> Iterator[Gold]:
    made = small(fresh(empty, Assets.find()))
    for rows in made.world["dim_customer"].values():
        rows[0] |= {"email": "ada@example.org", "birth_date": "1815-12-10"}
    made.run()
    for name, role in PEOPLE.items():
        made.warehouse.run(f"CREATE USER {name} PASSWORD '{PASSWORD}'")
        made.warehouse.run(f"GRANT ROLE {role} TO {name}")
    yield made
    for name in PEOPLE:
        made.warehouse.run(f"DROP USER {name}")


def seen(gold: Gold, name: str, sql: str) -> Any:
    session = gold.warehouse.engine.session(user=name, password=PASSWORD)
    try:
        return session.execute(sql).rows
    finally:
        session.close()


def test_an_analyst_sees_stars_and_whole_numbers_and_a_privileged_person_all_of_gold(gold: Gold) -> None:
    columns = "SELECT customer_id, email, phone, birth_date FROM"
    assert seen(gold, "ann", f"{columns} masked.dim_customer") == [("1", "***", None, None)]
    assert seen(gold, "ann", "SELECT COUNT(*) FROM masked.fact_sales") == [("2",)]
    assert seen(gold, "ann", "SELECT COUNT(*) > 0 FROM gold.v_total_sales")
    assert seen(gold, "ann", "SELECT COUNT(*) > 0 FROM gold.dim_date")
    for forbidden in ("gold.dim_customer", "gold.addresses", "staging.dim_customer", "etl.load"):
        with pytest.raises(Exception, match="permission denied"):
            seen(gold, "ann", f"SELECT * FROM {forbidden}")
    assert seen(gold, "pia", f"{columns} gold.dim_customer") == [("1", "ada@example.org", None, "1815-12-10")]
    assert seen(gold, "pia", "SELECT email FROM masked.dim_customer") == [("***",)]
    with pytest.raises(Exception, match="permission denied"):
        seen(gold, "pia", "DELETE FROM gold.dim_customer")
    gold.warehouse.run("ALTER TABLE gold.fact_payments ADD COLUMN by_hand INTEGER")
    assert [(m.model, m.change) for m in gold.bootstrap()] == [("fact_payments", "changed columns")]
    assert seen(gold, "pia", "SELECT COUNT(*) FROM gold.fact_payments") == [("0",)], "granted anew"
    assert seen(gold, "ann", "SELECT COUNT(*) FROM masked.fact_payments") == [("0",)]
