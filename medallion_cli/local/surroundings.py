"""Where tools are found: a running daemon follows the newest command, not the shell that happened to start it.

Every command leaves its own variables (and the cache folder that it would use) in `environment.json` of the state; the
daemon takes them over before it answers that command. What runs already (a database, a warm Spark) goes on as it is; what is
started from then on sees the new ones. Two things never come from a shell: AWS's variables (the daemon is the AWS) and TMPDIR
(temporary files lie in the state, since a shell's own folder may be gone tomorrow).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from medallion_cli import __version__
from medallion_cli.local.state import write_file

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

FOLLOWED: Final = ("PATH", "JAVA_HOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "HOME", "LANG", "LC_ALL")
_FILE: Final = "environment.json"


def record(state: Path, cache: Path) -> None:
    """Leaves this process's surroundings for the daemon of a state folder; nothing is written when they are there."""
    variables = {name: os.environ[name] for name in FOLLOWED if name in os.environ}
    text = json.dumps({"variables": variables, "cache": str(cache)}, sort_keys=True).encode()
    path = state / _FILE
    if not path.exists() or path.read_bytes() != text:
        write_file(path, text)


def of_daemon() -> dict[str, str]:
    """The environment to start a daemon with: this one's, without AWS's variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def program() -> dict[str, str]:
    """The program that a daemon is: its version, and the Python that its functions and jobs run on."""
    return {"version": __version__, "python": sys.executable}


def another_program(told: Mapping[str, str]) -> str:
    """What is to be said when a running daemon is of another version, or its Python is gone; else ""."""
    if not Path(told.get("python", sys.executable)).exists():
        return f"the embedded AWS runs on {told['python']}, which is gone: medallion local stop, then go on"
    own = program()["version"]
    if told.get("version", own) != own:
        return f"the embedded AWS is still version {told['version']}: medallion local stop, then go on with {own}"
    return ""


class Surroundings:
    """The daemon's side; `follow` is cheap enough for every request."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._seen = 0

    def settle(self) -> None:
        """Temporary files go into the state, for every user that an engine runs as."""
        folder = self._runtime.state / "tmp"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o1777)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)

    def follow(self) -> None:
        """Takes over what the newest command left, if that is new."""
        try:
            written = (self._runtime.state / _FILE).stat().st_mtime_ns
            if written == self._seen:
                return
            found = json.loads((self._runtime.state / _FILE).read_bytes())
        except (OSError, ValueError):
            return  # no command came by yet, or the file is a hand-made one
        self._seen = written
        self._take(found["variables"])
        self._runtime.cache = Path(found["cache"])

    def _take(self, variables: Mapping[str, str]) -> None:
        for name in FOLLOWED:
            if name in variables:
                os.environ[name] = variables[name]
            else:
                os.environ.pop(name, None)
