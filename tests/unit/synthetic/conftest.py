"""The shipped recipe over the shipped DDL, and a schema that no recipe knows."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from made_rows import Made, facts_of

from medallion_cli.synthetic.plan import Existing, chunks, plan_rows
from medallion_cli.synthetic.recipe import Recipe, build_recipe, jsonable

ROOT = Path(__file__).parents[3]
SAKILA = ROOT / "tests" / "projects" / "sakila"


@pytest.fixture(scope="session")
def retail() -> Recipe:
    """The shipped project's recipe."""
    document = yaml.safe_load((ROOT / "configs" / "synthetic.yaml").read_text())
    return build_recipe(jsonable(document), facts_of((ROOT / "sql" / "mysql" / "schema.sql").read_text()))


@pytest.fixture(scope="session")
def sakila() -> Recipe:
    """A schema that no recipe knows."""
    return build_recipe({}, facts_of((SAKILA / "sql" / "mysql" / "schema.sql").read_text()))


@pytest.fixture(scope="session")
def shop(retail: Recipe) -> Made:
    """20,000 rows of the retail project, made in chunks of 3,000."""
    plan = plan_rows(retail, 20_000, 7, Existing({}, {}), chunk_rows=3_000)
    made = Made(retail, plan)
    for chunk in chunks(retail, plan):
        made.load(chunk)
    return made
