"""The source's bootstrap: once for a project, and again where a table of it was dropped since."""

from __future__ import annotations

from typing import Any

import pytest

from medallion_cli.assets import Assets
from medallion_cli.aws import source
from medallion_cli.errors import MedallionError
from medallion_cli.operations import bootstrap, marks
from medallion_cli.spec import Pipeline, load_pipeline

FOUND = {"SourceFunctionName": "source", "SourceSecretArn": "arn"}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(Assets.find())


@pytest.mark.parametrize(
    ("there", "due", "asked"),
    [
        ("all", False, ["columns"]),
        ("all but one", False, ["columns", "bootstrap"]),
        ("no answer", False, ["columns"]),
        ("all", True, ["bootstrap"]),
    ],
)
def test_it_is_made_when_it_is_due_or_a_table_is_gone(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, there: str, due: bool, asked: list[str]
) -> None:
    told: list[str] = []
    names = [table.name for table in pipeline.tables]

    def call(_: Any, operation: str) -> dict[str, Any]:
        told.append(operation)
        if there == "no answer":
            raise MedallionError("the source does not answer")
        return {"tables": {name: [] for name in names[there == "all but one" :]}}

    monkeypatch.setattr(source.Source, "__init__", lambda *_: None)
    monkeypatch.setattr(source.Source, "call", call)
    monkeypatch.setattr(bootstrap, "source_is_due", lambda *_: due)
    monkeypatch.setattr(marks, "write", lambda *_: None)
    package: Any = type("Package", (), {"parameters": {"SourceCodeKey": "k"}})()
    target: Any = None
    list(bootstrap.bootstrap_source(target, FOUND, package, pipeline))
    assert told == asked
