"""A warehouse with the retail pipeline's gold; every test starts from empty schemas."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WAREHOUSE = Path(__file__).resolve().parents[1] / "warehouse" / "scratch_warehouse.py"


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("scratch_warehouse", WAREHOUSE)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault("scratch_warehouse", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    with module.scratch_warehouse(tmp_path_factory.mktemp("gold")) as scratch:
        yield scratch
        scratch.session.close()


@pytest.fixture
def empty(engine: Any) -> Any:
    """The warehouse without any of the pipeline's schemas."""
    for schema in ("masked", "gold", "staging", "etl"):
        engine.run(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    for role in ("medallion_analyst", "medallion_privileged"):
        if engine.run(f"SELECT 1 FROM svv_roles WHERE role_name = '{role}'"):
            engine.run(f"DROP ROLE {role}")
    return engine
