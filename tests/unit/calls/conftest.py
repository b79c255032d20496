"""Environments as the templates make them: the shipped one, and one of the longest prefix there may be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import exercises_of_operators  # noqa: F401 - adds its own
import pytest
import strict_calls
from exercises import EXERCISES, World

from medallion_cli.assets import Assets
from medallion_cli.operations.package import build
from medallion_cli.operations.template import parse_template
from medallion_cli.operations.validation.deployment import simulate
from medallion_cli.settings import load_settings
from medallion_cli.spec import load_pipeline

ROOT = Path(__file__).parents[3]
LONGEST = "a-name-of-the-longest-that-may-be-given"


@pytest.fixture(scope="session", params=["retail-dev", LONGEST], ids=["shipped", "longest"])
def world(request: pytest.FixtureRequest) -> World:
    assets = Assets.find(ROOT)
    pipeline = load_pipeline(assets)
    settings = load_settings("dev", assets).model_copy(update={"prefix": request.param})
    package = build(pipeline, assets, settings)
    templates = {stack: parse_template(body) for stack, body in package.templates.items()}
    stacks = simulate(settings, templates).stacks.values()
    outputs = {name: str(value) for stack in stacks for name, value in stack.outputs.items()}
    return World(settings, outputs, package, pipeline, assets)


@pytest.fixture(scope="session")
def calls(world: World) -> Iterator[list[strict_calls.Call]]:
    """Every call that the exercises make."""
    sys.path.insert(0, str(ROOT / "glue_scripts"))
    made: list[strict_calls.Call] = []
    uninstall = strict_calls.install(made.append)
    for run in EXERCISES:
        run(world)
    uninstall()
    yield made
    sys.path.remove(str(ROOT / "glue_scripts"))
