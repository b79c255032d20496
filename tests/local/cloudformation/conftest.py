"""A fresh environment a test; its folder can be reached by the engines' own user."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack_daemon import Daemon, cache_folder


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    home = Path(tempfile.mkdtemp(prefix="medallion-stacks-"))
    home.chmod(0o755)
    running = Daemon(home / "state", cache_folder())
    running.state.mkdir()
    running.start()
    yield running
    running.stop()
    shutil.rmtree(home)
