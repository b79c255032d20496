"""What the repository tells people to install is this tool: on PyPI `medallion` is somebody else's."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

from medallion_cli import DISTRIBUTION, INSTALL_LOCAL, __version__
from medallion_cli.local.engines.spark import ICEBERG_PACKAGE

ROOT = Path(__file__).parents[3]
FOREIGN = re.compile(r"pip3? install[^\n`]*?[ '\"]medallion(?![\w-])|['\"]medallion\[")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def texts() -> dict[str, str]:
    """All that git knows of, but for this file."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    read = (path for path in paths if path.is_file() and path != Path(__file__))
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8", errors="ignore") for path in read}


def test_nothing_installs_the_stranger() -> None:
    found = texts()
    assert len(found) > 500
    assert {name: match[0] for name, text in found.items() if (match := FOREIGN.search(text))} == {}


def test_the_stranger_would_be_found() -> None:
    for line in (
        "pip install medallion",
        "pip install --upgrade medallion\n",
        "pip install 'medallion[local]'",
    ):
        assert FOREIGN.search(line)
    for line in (INSTALL_LOCAL, "pip install '.[local]'", "pip install -r requirements.txt"):
        assert not FOREIGN.search(line)


def test_the_hints_name_the_distribution_and_an_extra_that_it_has() -> None:
    assert PROJECT["name"] == DISTRIBUTION
    assert PROJECT["version"] == __version__
    assert "local" in PROJECT["optional-dependencies"]
    assert f"{DISTRIBUTION}[local]" in INSTALL_LOCAL
    assert ICEBERG_PACKAGE in PROJECT["optional-dependencies"]["local"]
