"""The shipped project, its environments' settings and templates."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from medallion_cli.assets import Assets
from medallion_cli.operations.package import render_templates
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
def environment(assets: Assets) -> Callable[[str], Settings]:
    """Settings of an environment, with its prefix."""

    @cache
    def load(env: str) -> Settings:
        return load_settings(env, assets).model_copy(update={"prefix": f"retail-{env}"})

    return load


@pytest.fixture(scope="session")
def templates(
    pipeline: Pipeline, assets: Assets, environment: Callable[[str], Settings]
) -> Callable[[str], dict[str, str]]:
    """Rendered templates of an environment."""

    @cache
    def render(env: str) -> dict[str, str]:
        return render_templates(pipeline, assets, environment(env))

    return render
