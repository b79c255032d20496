"""The source's own catalogue beside the project's DDL: the same when nothing has changed, on every type there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lambda_source import ROOT, SAKILA, LambdaSource

from medallion_cli.assets import Assets
from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.local.engines.mariadb import MariaDB
from medallion_cli.operations.schema_drift import updated, whole
from medallion_cli.spec import load_pipeline

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("project", [ROOT, SAKILA], ids=["retail", "sakila"])
def test_a_source_made_of_the_ddl_differs_in_nothing(
    project: Path, make: Callable[..., LambdaSource]
) -> None:
    source = make(project / "sql/mysql/schema.sql", None)
    pipeline = load_pipeline(Assets.find(project))
    found = source.call("columns")
    assert sorted(found["tables"]) == sorted(table.name for table in pipeline.tables)
    assert sorted(found["empty"]) == sorted(found["tables"])
    assert list(whole(pipeline, found["tables"])) == []


def test_an_altered_table_is_told_and_its_definition_is_taken_over(
    shop: LambdaSource, server: MariaDB
) -> None:
    with server.connect(database=shop.schema) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments ADD COLUMN coupon VARCHAR(12) NOT NULL DEFAULT 'no;ne' FIRST")
        cursor.execute("INSERT INTO brands VALUES (1, 'x', NULL, NOW(6), NOW(6))")
        cursor.execute("DROP TABLE order_items")
        connection.commit()
    assets = Assets.find(ROOT)
    pipeline = load_pipeline(assets)
    found = shop.call("columns")
    assert "brands" not in found["empty"]
    assert "order_items" not in found["tables"]
    ((table, told),) = whole(pipeline, found["tables"])
    assert (table.name, [str(one) for one in told]) == ("payments", ["coupon added (varchar(12))"])
    addition = updated(assets, pipeline, "payments", shop.call("definition", table="payments")["ddl"])
    assert "DEFAULT 'no;ne'" in addition.files[pipeline.source["ddl"]]
    with pytest.raises(MedallionError, match="the source has no table order_items any more"):
        shop.call("definition", table="order_items")
    with pytest.raises(UsageError, match="no table nothing"):
        shop.call("definition", table="nothing")
