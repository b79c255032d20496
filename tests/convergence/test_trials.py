"""The trials themselves: one in each test run (`make convergence` for many), and that every mutant still fits the product."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def _script(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HERE / name), *words],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip


@pytest.mark.engine
def test_trials_converge() -> None:
    done = _script("converge.py", "--trials", "1", "--seed", "17", "--parts")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "trials 1 (1 of the parts)" in done.stdout
    assert "divergences 0" in done.stdout


def test_every_mutant_fits_the_product() -> None:
    done = _script("mutants.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "none was run" in done.stdout
