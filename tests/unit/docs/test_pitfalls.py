"""docs/pitfalls.md tells the truth: its tests, codes and mistakes exist; and what no other test drives is driven here."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from medallion_cli.assets import Assets
from medallion_cli.aws import jobs, warehouse
from medallion_cli.errors import AwsError, MedallionError, UsageError
from medallion_cli.operations.validation.task_settings import settings_findings
from medallion_cli.spec import load_pipeline

ROOT = Path(__file__).parents[3]
ROWS = [line for line in (ROOT / "docs/pitfalls.md").read_text().splitlines() if re.match(r"\| \d+ \|", line)]


@pytest.mark.parametrize("number", range(1, 27))
def test_each_of_the_26_has_one_row_and_something_that_shows_it(number: int) -> None:
    (row,) = [line for line in ROWS if line.startswith(f"| {number} |")]
    assert re.search(r"`tests/[\w/.]+::test_\w+`|`MED-[A-Z]+-\d+`", row)
    assert len(row.split(" | ")) == 4


def test_there_are_26() -> None:
    assert len(ROWS) == 26


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/.]+)::(test_\w+)`", "\n".join(ROWS))
    assert named
    assert [f"{path}::{test}" for path, test in named if f"def {test}(" not in _text(path)] == []


def test_every_code_that_is_named_is_told_by_something() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "medallion_cli/operations").rglob("*.py"))
    named = set(re.findall(r"`(MED-[A-Z]+-\d+)`", "\n".join(ROWS)))
    assert sorted(code for code in named if f'"{code}"' not in sources) == []


def test_every_mistake_that_is_named_is_in_the_table_and_has_the_code_before_it() -> None:
    """Each in its row; that validate tells it is shown where the table is."""
    quoted = [name for row in ROWS for name in re.findall(r'"([^"]+)"', row.rsplit(" | ", 1)[1])]
    known = set(re.findall(r'Mistake\("([^"]+)"', _text("tests/unit/validation/mistakes.py")))
    assert quoted
    assert [name for name in quoted if name not in known] == []


@cache
def _text(path: str) -> str:
    file = ROOT / path
    return file.read_text() if file.is_file() else ""


def test_a_table_without_a_key_is_refused(tmp_path: Path) -> None:
    """16: rows without a key double when a load is repeated."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "sql/mysql").mkdir(parents=True)
    (tmp_path / "sql/mysql/schema.sql").write_text("CREATE TABLE notes (body VARCHAR(20));")
    (tmp_path / "configs/pipeline.yaml").write_text(
        "name: shop\nsource: {schema: shop, ddl: sql/mysql/schema.sql}\ntables: {notes: {}}\n"
    )
    with pytest.raises(UsageError, match=r"tables\.notes: no primary key"):
        load_pipeline(Assets.find(tmp_path))


def test_dmss_own_validation_is_refused() -> None:
    """17: it runs once a day and errs both ways."""
    found = list(settings_findings({"ValidationSettings": {"EnableValidation": True}}))
    assert any(f.code == "MED-DMS-007" and "EnableValidation" in f.where for f in found)


def test_a_job_that_is_running_already_is_waited_for() -> None:
    """19: ConcurrentRunsExceededException is no failure of the run."""

    class Glue:
        busy = 2

        def start_job_run(self, **_: Any) -> dict[str, str]:
            if self.busy:
                self.busy -= 1
                raise AwsError("ConcurrentRunsExceededException", "one at a time")
            return {"JobRunId": "jr_1"}

        def get_job_run(self, **_: Any) -> dict[str, Any]:
            return {"JobRun": {"JobRunState": "SUCCEEDED"}}

    class Target:
        glue = Glue()

        def client(self, service: str) -> Glue:
            return self.glue

    waits: list[float] = []
    jobs.run_job(Target(), "job", {}, 7, waits.append)  # type: ignore[arg-type]
    assert waits == [7, 7]


@pytest.mark.parametrize("sqls", [["SELECT '" + "x" * 100 * 1024 + "'"], ["SELECT 1"] * 41, []])
def test_a_statement_that_the_data_api_would_refuse_is_not_sent(sqls: list[str]) -> None:
    """26: 100 KB a statement, 40 statements a batch."""

    class Target:
        def client(self, service: str) -> None:
            return None  # whatever is asked of it is an error

    with pytest.raises(MedallionError, match=r"100 KB|1 to 40"):
        warehouse.DataApi(Target(), "workgroup", "database", "secret").batch(sqls)
