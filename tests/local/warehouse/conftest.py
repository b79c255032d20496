"""One warehouse for the whole session; tests use schemas of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scratch_warehouse import Scratch, scratch_warehouse


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    with scratch_warehouse(tmp_path_factory.mktemp("warehouse")) as running:
        yield running
