"""The shipped project, read once; each mistake is made in a draft of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from drafts import Draft

from medallion_cli.assets import Assets
from medallion_cli.operations.validation.project import Project, read_project

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def project() -> Project:
    found, faults = read_project(Assets.find(ROOT))
    assert faults == []
    assert found is not None
    return found


@pytest.fixture
def draft(project: Project) -> Draft:
    return Draft(project)
