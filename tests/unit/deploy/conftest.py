"""The shipped project's templates, rendered once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medallion_cli.assets import Assets
from medallion_cli.operations import package
from medallion_cli.operations.template import parse_template
from medallion_cli.settings import Settings, load_settings
from medallion_cli.spec import Pipeline, load_pipeline

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def assets() -> Assets:
    return Assets.find(ROOT)


@pytest.fixture(scope="session")
def pipeline(assets: Assets) -> Pipeline:
    return load_pipeline(assets)


@pytest.fixture(scope="session")
def settings(assets: Assets) -> Settings:
    return load_settings("dev", assets).model_copy(update={"prefix": "retail-dev"})


@pytest.fixture(scope="session")
def built(pipeline: Pipeline, assets: Assets, settings: Settings) -> package.Package:
    return package.build(pipeline, assets, settings)


@pytest.fixture(scope="session")
def documents(built: package.Package) -> dict[str, dict[str, Any]]:
    return {stack: parse_template(body) for stack, body in built.templates.items()}
