"""Status shows every broken situation but those that only a question to the source, to STS or to quotas can tell."""

from __future__ import annotations

import pytest
from test_doctor import BROKEN, Watched, look

from medallion_cli.operations.doctor.diagnose import quick
from medallion_cli.operations.status import status
from medallion_cli.spec import Pipeline

ASKED_BY_DOCTOR = {
    "MED-ENV-001", "MED-ENV-002", "MED-ENV-012", "MED-SRC-002", "MED-SRC-003", "MED-DMS-003", "MED-DMS-033",
}  # fmt: skip
# Shown by another code, or once replication has counted the statement.
OTHERWISE = {
    "the binlog is gone while replication stands": "MED-DMS-030",
    "a table was dropped at the source": "",
}


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.mark.parametrize("situation", BROKEN)
def test_what_is_shown_without_asking_the_source(
    situation: str, watched: Watched, pipeline: Pipeline
) -> None:
    breaks, code, _ = BROKEN[situation]
    breaks(watched)
    shown = {one.code for one in quick(look(watched, pipeline))}
    if situation in OTHERWISE:
        assert shown == {OTHERWISE[situation]} - {""}
    else:
        assert (code in shown) == (code not in ASKED_BY_DOCTOR), shown


def test_layers_are_listed_in_the_order_of_the_specification(watched: Watched, pipeline: Pipeline) -> None:
    watched.tables = list(reversed(watched.tables))
    found = status(look(watched, pipeline))
    assert found.healthy
    bronze, silver, gold = ([one["table"] for one in layer["tables"]] for layer in found.layers)
    assert silver == [table.name for table in pipeline.tables]
    assert bronze == [name for name in silver if name in bronze]
    assert gold == [model.name for model in pipeline.models]
