"""The lock: one operator at a time; a killed one blocks nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from datetime import timedelta

import pytest
from fake_parameters import Parameters

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Noted
from medallion_cli.operations import lock


def work(*texts: str) -> Generator[Event, None, int]:
    for text in texts:
        yield Noted(text)
    return len(texts)


def begun(target: Parameters, operation: str = "up") -> Generator[Event, None, int]:
    """An operation that has the lock and has not ended."""
    steps = lock.hold(target, operation, work("one", "two"))  # type: ignore[arg-type]
    next(steps)
    return steps


def begun_noting(target: Parameters) -> list[Event]:
    return list(lock.hold(target, "up", work("one")))  # type: ignore[arg-type]


def test_a_second_operator_is_told_who_what_and_since() -> None:
    target = Parameters()
    first = begun(target)
    with pytest.raises(MedallionError) as raised:
        begun(target, "down")
    found = lock.holder(target)  # type: ignore[arg-type]
    assert found is not None
    assert (
        str(raised.value)
        == f"retail-dev is held by {found.owner}: up since {found.since[:19].replace('T', ' ')} UTC"
    )
    assert raised.value.hint == "wait for it; if nobody works there any more: medallion unlock"
    assert list(first) == [Noted("two")]
    assert target.known == {}


def test_what_the_work_returns_comes_through() -> None:
    def outer() -> Generator[Event, None, None]:
        assert (yield from lock.hold(Parameters(), "up", work("one"))) == 1  # type: ignore[arg-type]

    assert list(outer()) == [Noted("one")]


def test_failed_and_interrupted_work_lets_go() -> None:
    target = Parameters()

    def failing() -> Generator[Event, None, None]:
        yield Noted("one")
        raise MedallionError("no")

    with pytest.raises(MedallionError, match="no"):
        list(lock.hold(target, "up", failing()))  # type: ignore[arg-type]
    assert target.known == {}
    begun(target).close()
    assert target.known == {}


def test_an_ended_process_of_this_machine_blocks_nobody() -> None:
    target = Parameters()
    first = begun(target)
    child = subprocess.Popen([sys.executable, "-c", ""])
    try:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has collected it
        target.change(pid=child.pid, token="killed")
        second = begun_noting(target)
        assert "took over the lock of" in str(second[0])
    finally:
        child.wait()
        first.close()


def test_a_process_number_used_again_is_another_process() -> None:
    target = Parameters()
    first = begun(target)
    target.change(began="1", token="other")
    assert len(begun_noting(target)) == 2
    first.close()


def test_one_of_another_machine_blocks_until_it_expires() -> None:
    target = Parameters()
    first = begun(target)
    target.change(machine="elsewhere", pid=1, token="other")
    with pytest.raises(MedallionError, match="is held by"):
        begun(target)
    target.age(lock.EXPIRY + timedelta(seconds=1))
    assert len(begun_noting(target)) == 2
    first.close()


def test_a_broken_lock_stops_its_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RENEWAL", 0.01)
    target = Parameters()
    first = begun(target)
    broken = lock.unlock(target)  # type: ignore[arg-type]
    assert broken is not None
    assert broken.operation == "up"
    second = begun(target, "down")
    _pause()
    with pytest.raises(MedallionError, match="was broken"):
        next(first)
    assert list(second) == [Noted("two")]


def _pause() -> None:
    import time

    time.sleep(0.2)


def test_an_open_lock_is_nobodys() -> None:
    assert lock.unlock(Parameters()) is None  # type: ignore[arg-type]


def test_a_renewed_lock_does_not_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RENEWAL", 0.01)
    target = Parameters()
    first = begun(target)
    target.age(timedelta(minutes=10))
    _pause()
    target.change(machine="elsewhere")
    with pytest.raises(MedallionError, match="is held by"):
        begun(target)
    first.close()
