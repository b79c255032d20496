"""State homes of the tests' own; whatever a test leaves running is ended with them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A state home that the engines' own user can enter; everything in it is ended and removed."""
    from medallion_cli.local import lifecycle

    folder = Path(tempfile.mkdtemp(prefix="medallion-e2e-"))
    folder.chmod(0o755)
    yield folder
    for pidfile in [*folder.glob("*/daemon.pid"), *folder.glob("*/*/daemon.pid")]:
        lifecycle.reset(pidfile.parent)
    shutil.rmtree(folder)
