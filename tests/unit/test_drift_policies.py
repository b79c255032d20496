"""What `fail` takes and refuses: the newest file has to agree with the specification, whatever silver held before."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "glue_scripts"))

from medallion_glue.document import Column, Table
from medallion_glue.evolution import SchemaDrifted, follow

SEEN = {"id": "int", "name": "string", "note": "string"}


def frame(**columns: str) -> Any:
    """A file with these columns and types."""
    fields = [
        SimpleNamespace(name=name, dataType=SimpleNamespace(simpleString=lambda kind=kind: kind))
        for name, kind in {"Op": "string", **columns}.items()
    ]
    return SimpleNamespace(schema=SimpleNamespace(fields=fields))


def table(*more: Column) -> Table:
    """A table whose specification has `id` and `name`; `more` is what silver has beside."""
    own = [Column(name, kind, name, (), mysql) for name, kind, mysql in COLUMNS]
    return Table("parts", "shop", ("id",), (*own, *more), (), schema_drift="fail")


COLUMNS = (("id", "int", "int"), ("name", "string", "varchar(20)"))
NOTE = Column("note", "string", "note")  # silver has kept it


def test_a_column_that_the_specification_gave_up_may_be_gone() -> None:
    assert follow(table(NOTE), [frame(id="int", name="string")], SEEN)[1] == []


def test_what_was_there_for_a_while_is_no_drift_once_the_newest_file_agrees() -> None:
    before, newest = frame(id="int", name="string", tmp="int"), frame(id="int", name="string")
    follow(table(), [before, newest], SEEN, newest)


@pytest.mark.parametrize(
    ("newest", "told"),
    [({"id": "int"}, "name dropped"), ({"id": "int", "name": "string", "tmp": "int"}, "tmp added")],
)
def test_a_newest_file_that_differs_is_refused(newest: dict[str, str], told: str) -> None:
    files = [frame(id="int", name="string"), frame(**newest)]
    with pytest.raises(SchemaDrifted, match=told):
        follow(table(), files, SEEN, files[-1])
    with pytest.raises(SchemaDrifted, match=told):
        follow(table(), files[1:], SEEN)
