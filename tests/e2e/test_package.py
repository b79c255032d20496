"""The assets are found in the wheel, in the repository and in a project; the wheel alone is enough."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from command_line import REPOSITORY

pytestmark = pytest.mark.engine
SAKILA = REPOSITORY / "tests" / "projects" / "sakila"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the repository without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(REPOSITORY)], check=True)
    (found,) = folder.glob("medallion_cli-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, installed in a folder that comes before the repository on Python's path."""
    folder = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(folder),
    ]
    subprocess.run([*command, str(wheel)], check=True)
    return folder


def medallion(folder: Path, *words: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command in a folder, with the package from `path` (default: as the tests import it)."""
    environment = {**os.environ, "PYTHONPATH": str(path)} if path else dict(os.environ)
    return subprocess.run(
        [sys.executable, "-P", "-m", "medallion_cli.cli", *words],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_wheel_holds_code_and_assets_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    roots = {name.split("/")[0] for name in names}
    assert roots == {"medallion_cli", f"{wheel.name.rsplit('-', 3)[0]}.dist-info"}
    for folder in ("configs", "sql", "glue_scripts", "infra_templates"):
        shipped = {f"medallion_cli/_assets/{path}" for path in tracked(folder)}
        assert shipped <= set(names)
    assert [name for name in names if name.endswith(".pyc")] == []


def tracked(folder: str) -> list[str]:
    """Files that git knows in a folder of the repository."""
    command = ["git", "-C", str(REPOSITORY), "ls-files", folder]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_the_installed_wheel_is_enough_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    found = medallion(tmp_path, "validate", path=installed)
    assert (found.returncode, found.stderr) == (0, "✓ 8 tables, 8 models\n")
    assert roots(tmp_path, installed) == [installed / "medallion_cli" / "_assets"]


def test_a_project_folder_comes_before_the_wheel(installed: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(SAKILA, mine)
    found = medallion(tmp_path, "--project", str(mine), "--env", "dev", "plan", path=installed)
    assert (found.returncode, "sakila-dev-warehouse" in found.stdout) == (0, True), found.stderr
    assert roots(mine, installed) == [mine, installed / "medallion_cli" / "_assets"]


def test_an_editable_installation_has_the_repository_s_files(tmp_path: Path) -> None:
    assert roots(tmp_path) == [REPOSITORY]
    assert roots(SAKILA) == [SAKILA, REPOSITORY]


def roots(folder: Path, path: Path | None = None) -> list[Path]:
    """Where assets are looked for when a command is typed in a folder."""
    asked = "import medallion_cli.assets as a; print(*a.Assets.find().roots, sep='\\n')"
    environment = {**os.environ, "PYTHONPATH": str(path)} if path else dict(os.environ)
    found = subprocess.run(
        [sys.executable, "-P", "-c", asked],
        cwd=folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [Path(line) for line in found.stdout.splitlines()]


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    found = medallion(tmp_path, "--project", str(tmp_path), "validate")
    assert found.returncode == 2
    assert len(found.stderr.splitlines()) <= 2
