"""Status shows every broken situation that doctor names, but for a table that is dropped before replication has seen it."""

from __future__ import annotations

import pytest
from test_doctor import BROKEN, Watched, look

from medallion_cli.operations.doctor.diagnose import quick
from medallion_cli.operations.status import status
from medallion_cli.spec import Pipeline

LATER = "a table was dropped at the source"  # shown once replication has counted the statement


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.mark.parametrize("situation", BROKEN)
def test_what_doctor_names_is_shown(situation: str, watched: Watched, pipeline: Pipeline) -> None:
    breaks, code, _ = BROKEN[situation]
    breaks(watched)
    shown = {one.code for one in quick(look(watched, pipeline))}
    assert (code in shown) == (situation != LATER), shown


def test_layers_are_listed_in_the_order_of_the_specification(watched: Watched, pipeline: Pipeline) -> None:
    watched.tables = list(reversed(watched.tables))
    found = status(look(watched, pipeline))
    assert found.healthy
    bronze, silver, gold = ([one["table"] for one in layer["tables"]] for layer in found.layers)
    assert silver == [table.name for table in pipeline.tables]
    assert bronze == [name for name in silver if name in bronze]
    assert gold == [model.name for model in pipeline.models]
