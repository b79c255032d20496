"""Whatever a test makes the product ask of AWS is checked against AWS's own models; a process that runs away is ended."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Iterator

import psutil
import pytest
import strict_calls

# Each test's Spark lives for minutes: optimising its code for a long run costs a quarter of its CPU time. With that off,
# Java would also make the room for compiled code so small that a session of some minutes runs interpreted.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m")

# A shell starts what it puts in the background with Ctrl-C ignored, and every process of the tests would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

MOST_MEMORY = 4 << 30  # bytes of the process that runs tests; one GiB is what all of them together need


@pytest.fixture(scope="session", autouse=True)
def _calls_are_checked() -> Iterator[None]:
    uninstall = strict_calls.install()
    yield
    uninstall()


@pytest.fixture(scope="session", autouse=True)
def _memory_is_bounded(pytestconfig: pytest.Config) -> None:
    """A test that eats memory would take the machine down with it, and say nothing: it is ended with its stack."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        errors = os.dup(2)
    threading.Thread(target=_watch, args=[errors], name="memory", daemon=True).start()


def _watch(errors: int) -> None:
    own, never = psutil.Process(), threading.Event()
    while own.memory_info().rss < MOST_MEMORY:
        never.wait(1)
    os.write(errors, f"more than {MOST_MEMORY >> 30} GiB: {os.environ.get('PYTEST_CURRENT_TEST')}\n".encode())
    faulthandler.dump_traceback(file=errors)
    os._exit(70)
