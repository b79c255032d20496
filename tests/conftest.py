"""Whatever a test makes the product ask of AWS is checked against AWS's own models."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import strict_calls

# Each test's Spark lives for minutes: optimising its code for a long run costs a quarter of its CPU time. With that off,
# Java would also make the room for compiled code so small that a session of some minutes runs interpreted.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m")


@pytest.fixture(scope="session", autouse=True)
def _calls_are_checked() -> Iterator[None]:
    uninstall = strict_calls.install()
    yield
    uninstall()
