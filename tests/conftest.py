"""Whatever a test makes the product ask of AWS is checked against AWS's own models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import strict_calls


@pytest.fixture(scope="session", autouse=True)
def _calls_are_checked() -> Iterator[None]:
    uninstall = strict_calls.install()
    yield
    uninstall()
