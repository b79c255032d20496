"""The JSON schemas of the YAML files take what the tool takes and refuse what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from medallion_cli.schemas import schema

ROOT = Path(__file__).parents[3]
FILES = [
    ("pipeline", "configs/pipeline.yaml"),
    ("pipeline", "tests/projects/sakila/configs/pipeline.yaml"),
    ("dashboard", "configs/dashboard.yaml"),
    *(("environment", f"configs/{env}.yaml") for env in ("local", "dev", "prod")),
]


def _faults(name: str, document: Any) -> list[str]:
    """As an editor would underline them; dates are texts there."""
    plain = json.loads(json.dumps(document, default=str))
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(schema(name)).iter_errors(plain)
    ]


@pytest.mark.parametrize(("name", "file"), FILES)
def test_a_shipped_file_has_no_fault(name: str, file: str) -> None:
    assert _faults(name, yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pipeline", {"tabels": {}}),
        ("pipeline", {"freshness": {"warn_after": "soon"}}),
        ("pipeline", {"models": {"x": {"kind": "view"}}}),
        ("dashboard", {"visuals": [{"id": "a", "title": "A", "view": "v", "kind": "pie"}]}),
        ("environment", {"targte": "aws"}),
    ],
)
def test_a_mistake_is_underlined(name: str, change: dict[str, Any]) -> None:
    file = dict(FILES)[name] if name != "environment" else "configs/local.yaml"
    document = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    assert _faults(name, {**document, **change})
