"""One warehouse for the whole session; tests use schemas of their own."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_runtime import FakeRuntime
from scratch_warehouse import Scratch, reachable

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeRuntime]:
    """The services over a provisioned workgroup `scratch`."""
    with reachable(tmp_path_factory.mktemp("warehouse")) as home:
        cache = Path(tempfile.gettempdir()) / f"medallion-test-cache-{os.getuid()}"
        cache.mkdir(exist_ok=True)
        running = FakeRuntime(home, cache)
        running.provision()
        yield running
        running.stop()


@pytest.fixture
def warehouse(runtime: FakeRuntime) -> Iterator[Scratch]:
    """A session in an empty schema, which is its search path."""
    scratch = Scratch(runtime.services["redshift-serverless"].engine("scratch"), runtime)
    schema = f"s{next(_numbers)}"
    scratch.run(f"CREATE SCHEMA {schema}")
    scratch.run(f"SET search_path TO {schema}")
    yield scratch
    scratch.session.close()
