"""JSON schemas of the YAML files, from the models that read them: completion and checks in an editor."""

from __future__ import annotations

import json
from typing import Any

from medallion_cli.errors import UsageError

NAMES = ("pipeline", "environment", "dashboard")
FOLDER = "configs/schema"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLES = {
    "pipeline": "configs/pipeline.yaml: source tables, cleaning, expectations, gold models",
    "environment": "configs/<env>.yaml: one environment",
    "dashboard": "configs/dashboard.yaml: visuals over gold's views",
}


def schema(name: str) -> dict[str, Any]:
    """The schema of one file; UsageError for an unknown name."""
    if name not in NAMES:
        raise UsageError(f"no schema {name!r}", hint=f"one of: {', '.join(NAMES)}")
    made = _model(name).model_json_schema(by_alias=True, mode="validation")
    if name == "environment":  # the file's own name says it
        made["properties"].pop("env", None)
        made["required"] = [key for key in made.get("required", []) if key != "env"]
    return {"$schema": DIALECT, **made, "title": TITLES[name]}


def text(name: str) -> str:
    """The schema as it is written to a file."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def modeline(name: str) -> str:
    """The first line of a YAML file in configs/, by which editors find its schema."""
    return f"# yaml-language-server: $schema=schema/{name}.json\n"


def _model(name: str) -> Any:
    from medallion_cli.dashboard import Dashboard
    from medallion_cli.settings import Settings
    from medallion_cli.spec_file import PipelineFile

    return {"pipeline": PipelineFile, "environment": Settings, "dashboard": Dashboard}[name]
