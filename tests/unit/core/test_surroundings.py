"""A running daemon follows the newest command's environment, and never AWS's variables or a shell's TMPDIR."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from medallion_cli.local import surroundings
from medallion_cli.local.engines import spark
from medallion_cli.local.runtime import Credentials, Runtime
from medallion_cli.local.surroundings import Surroundings


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    for name in ("TMPDIR", *surroundings.FOLLOWED):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return Runtime(tmp_path, tmp_path / "old", "us-east-1", "http://127.0.0.1:1", Credentials("a", "b"), {})


def typed(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, cache: Path, **variables: str | None) -> None:
    """A command that somebody types in a shell with these variables."""
    with monkeypatch.context() as shell:
        for name, value in variables.items():
            if value is None:
                shell.delenv(name, raising=False)
            else:
                shell.setenv(name, value)
        surroundings.record(runtime.state, cache)


def test_the_newest_command_says_where_tools_are(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = Surroundings(runtime)
    typed(runtime, monkeypatch, runtime.state / "cache", PATH="/opt/tools", JAVA_HOME="/opt/java")
    daemon.follow()
    assert (os.environ["PATH"], os.environ["JAVA_HOME"]) == ("/opt/tools", "/opt/java")
    assert runtime.cache == runtime.state / "cache"
    typed(runtime, monkeypatch, runtime.state / "other", PATH="/usr/bin", JAVA_HOME=None)
    daemon.follow()
    assert os.environ["PATH"] == "/usr/bin"
    assert "JAVA_HOME" not in os.environ
    assert runtime.cache == runtime.state / "other"


def test_the_same_environment_is_not_written_again(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(runtime, monkeypatch, runtime.state, PATH="/opt/tools")
    path = runtime.state / "environment.json"
    before = path.stat().st_mtime_ns
    typed(runtime, monkeypatch, runtime.state, PATH="/opt/tools")
    assert path.stat().st_mtime_ns == before
    assert path.stat().st_mode & 0o077 == 0


def test_nothing_else_of_a_shell_is_kept(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(
        runtime, monkeypatch, runtime.state, AWS_SECRET_ACCESS_KEY="hush", TMPDIR="/gone", MY_PASSWORD="hush"
    )
    found = json.loads((runtime.state / "environment.json").read_text())
    assert set(found["variables"]) <= set(surroundings.FOLLOWED)
    assert "hush" not in str(found)


def test_a_daemon_starts_without_awss_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    monkeypatch.setenv("PATH", "/usr/bin")
    found = surroundings.of_daemon()
    assert found["PATH"] == "/usr/bin"
    assert [name for name in found if name.startswith("AWS_")] == []


def test_temporary_files_lie_in_the_state(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/gone")
    Surroundings(runtime).settle()
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(runtime.state / "tmp")
    assert (runtime.state / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_without_a_command_everything_stays(runtime: Runtime) -> None:
    before = dict(os.environ)
    Surroundings(runtime).follow()
    (runtime.state / "environment.json").write_text("{")
    Surroundings(runtime).follow()
    assert dict(os.environ) == before
    assert runtime.cache == runtime.state / "old"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, ""),
        (surroundings.program(), ""),
        (surroundings.program() | {"version": "0.0.1"}, "still version 0.0.1: medallion local stop"),
        (surroundings.program() | {"python": "/gone/bin/python"}, "/gone/bin/python, which is gone"),
    ],
)
def test_a_daemon_of_another_version_is_told(told: dict[str, str], said: str) -> None:
    found = surroundings.another_program(told)
    assert said in found
    assert bool(found) == bool(said)


def test_java_is_looked_for_again_when_the_environment_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spark._java.cache_clear()
    for name in ("one", "two"):
        binary = tmp_path / name / "bin" / "java"
        binary.parent.mkdir(parents=True)
        binary.write_text("#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
        binary.chmod(0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "one"))
    assert spark.java() == tmp_path / "one" / "bin" / "java"
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "two"))
    assert spark.java() == tmp_path / "two" / "bin" / "java"
    spark._java.cache_clear()
