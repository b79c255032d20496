"""An environment for all tests of a module; its folder can be reached by the engines' own user."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployed import ROOT, Builds, Environment

from medallion_cli.local import lifecycle
from medallion_cli.operations import package
from medallion_cli.operations.deployment import change_sets


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    home = Path(tempfile.mkdtemp(prefix="medallion-deploy-"))
    home.chmod(0o755)
    project = home / "project"
    (project / "infra_templates").mkdir(parents=True)
    for folder in ("configs", "sql"):
        shutil.copytree(ROOT / folder, project / folder)
    builds = Builds()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDALLION_STATE_HOME", str(home))
        for module in (change_sets, package):
            patch.setattr(module, "build", builds)
        made = Environment(home, project)
        yield made
        made.close()
    lifecycle.reset(home / "retail-local")
    shutil.rmtree(home)
