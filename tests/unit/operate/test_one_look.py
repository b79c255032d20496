"""What makes a look quick: questions asked once, and DDL that is parsed once for every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medallion_cli import ddl
from medallion_cli.aws.session import Target
from medallion_cli.errors import AwsError, UsageError
from medallion_cli.settings import Settings

ROOT = Path(__file__).parents[3]
LOADS = (
    "import sys; from medallion_cli.assets import Assets; from medallion_cli.spec import load_pipeline;"
    "print(len(load_pipeline(Assets.find(None)).models), 'sqlglot' in sys.modules)"
)
DDL = "CREATE TABLE t (a BIGINT UNSIGNED NOT NULL, b DECIMAL(12, 2), PRIMARY KEY (a))"


class Service:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def describe_stacks(self, **given: Any) -> dict[str, Any]:
        self.asked.append(("describe_stacks", given))
        return {"number": len(self.asked)}

    def get_parameter(self, **given: Any) -> dict[str, Any]:
        self.asked.append(("get_parameter", given))
        raise AwsError("ParameterNotFound", "there is none")

    def start_execution(self, **given: Any) -> None:
        self.asked.append(("start_execution", given))


def test_a_question_is_asked_once_in_a_look_and_a_change_is_made_each_time() -> None:
    service = Service()
    target = Target(Settings(env="dev", target="aws", region="eu-central-1"))
    target._clients = {"some": service}
    look = target.asked_once()
    assert [look.client("some").describe_stacks(StackName="a")["number"] for _ in range(2)] == [1, 1]
    assert look.client("some").describe_stacks(StackName="b")["number"] == 2
    for _ in range(2):
        with pytest.raises(AwsError, match="there is none"):
            look.client("some").get_parameter(Name="lock")
        look.client("some").start_execution(name="run")
    assert [name for name, _ in service.asked] == [
        "describe_stacks", "describe_stacks", "get_parameter", "start_execution", "start_execution"
    ]  # fmt: skip
    assert target.asked_once().client("some").describe_stacks(StackName="a")["number"] == 6


def test_the_parser_is_loaded_for_ddl_that_is_new(tmp_path: Path) -> None:
    environment = os.environ | {"MEDALLION_CACHE_HOME": str(tmp_path)}
    words = [sys.executable, "-c", LOADS]
    first, second = (
        subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert first.split()[1:] == ["True"]
    assert second.split() == [first.split()[0], "False"]


def test_what_is_kept_is_what_was_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDALLION_CACHE_HOME", str(tmp_path))
    parsed = ddl.parse_tables(DDL, "mysql", "schema.sql")
    assert ddl.known_tables(DDL, "mysql", "schema.sql") == parsed
    (kept,) = (tmp_path / "ddl").iterdir()
    assert ddl.known_tables(DDL, "mysql", "schema.sql") == parsed
    kept.write_text('[{"name": "cut off')
    assert ddl.known_tables(DDL, "mysql", "schema.sql") == parsed
    with pytest.raises(UsageError, match=r"schema\.sql"):
        ddl.known_tables("CREATE TABLE (", "mysql", "schema.sql")
    assert [path.name for path in (tmp_path / "ddl").iterdir()] == [kept.name]


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEDALLION_CACHE_HOME", str(tmp_path / "file"))
    assert set(ddl.known_tables(DDL, "mysql", "schema.sql")) == {"t"}
