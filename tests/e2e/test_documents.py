"""The quickstart and the guides are typed as they stand, in one environment: the blocks that tests/marked.py finds.

With MEDALLION_CAPTURES=docs/screens.md what terminals of 80 and of 160 columns show meanwhile is written there.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from command_line import REPOSITORY
from documented import conforms
from marked import TYPED, typed
from screens import page

pytestmark = [pytest.mark.engine, pytest.mark.recovery]
JSON = (
    "status",
    "doctor",
    "doctor explain MED-DMS-030",
    "runs",
    "runs show",
    "run",
    "logs",
    "outputs",
    "cost",
    "drift",
    "replicate status",
    "local status",
    "trace --table orders --key 1",
    "peek gold dim_customer --limit 2",
    "dashboard",
    "lineage fact_sales",
    "table add coupons --dry-run",
    "pause --schedule",
    "seed --rows 1000 --dry-run",
    "run --dry-run",
    "retry --dry-run",
    "merge --dry-run",
    "pause --dry-run",
    "resume --dry-run",
    "replicate start --dry-run",
    "replicate stop --dry-run",
    "replicate reload --dry-run",
    "quarantine replay --dry-run",
    "housekeeping --dry-run",
    "unlock --dry-run",
    "down --dry-run",
    "local reset --dry-run",
)
QUICKSTART, *OTHERS = TYPED

CHANGES_PENDING = 3  # the exit code of a plan that has something to do


@dataclass
class Typist:
    """Types lines in a folder, each in a shell of its own; `told` are those that failed."""

    folder: Path
    home: Path
    told: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "MEDALLION_STATE_HOME": str(self.home), "PATH": path}

    def type(self, lines: Sequence[str]) -> list[str]:
        """What failed of these lines, with the end of what it said."""
        told = []
        for line in lines:
            if line.startswith("cd "):
                self.folder /= line.removeprefix("cd ")
                continue
            done = subprocess.run(
                line, shell=True, cwd=self.folder, env=self.variables, capture_output=True, text=True,
                check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            if done.returncode != 0 and (line, done.returncode) != ("medallion plan", CHANGES_PENDING):
                told.append(f"{line}: exit {done.returncode}\n{done.stdout[-600:]}\n{done.stderr[-600:]}")
        return told

    def seen(self, line: str, width: int) -> str:
        """What a terminal of so many columns shows of a line, without colour."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 200, width, 0, 0))
        size = {"COLUMNS": str(width), "LINES": "200"}
        variables = {**self.variables, "NO_COLOR": "1", "TERM": "xterm", **size}
        done = subprocess.Popen(
            line, shell=True, cwd=self.folder, env=variables, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL
        )  # fmt: skip
        os.close(theirs)
        parts = []
        while True:
            try:
                parts.append(os.read(ours, 65536))
            except OSError:  # the terminal's other end is closed
                break
        os.close(ours)
        done.wait()
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(parts).decode()).replace("\r", "")
        return "\n".join(each.rstrip() for each in text.strip("\n").splitlines())


@pytest.fixture(scope="module")
def typist(home: Path) -> Typist:
    folder = home / "typed"
    folder.mkdir()
    return Typist(folder, home)


def test_the_quickstart_but_its_end(typist: Typist) -> None:
    *first, broken, _ = typed(QUICKSTART)
    assert typist.type("".join(first).splitlines()) == []
    if file := os.environ.get("MEDALLION_CAPTURES"):
        (REPOSITORY / file).write_text(page(typist.seen), encoding="utf-8")
    assert typist.type(broken.splitlines()) == []


@pytest.mark.parametrize("line", JSON)
def test_a_document_is_as_its_schema_says(typist: Typist, line: str) -> None:
    done = subprocess.run(
        ["medallion", "--output", "json", *line.split()], cwd=typist.folder, env=typist.variables, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    conforms(tuple(line.split()), json.loads(done.stdout))


@pytest.mark.parametrize("document", OTHERS)
def test_another_document(typist: Typist, document: str) -> None:
    lines = "".join(typed(document)).splitlines()
    assert lines
    assert typist.type(lines) == []


def test_its_end_leaves_nothing(typist: Typist) -> None:
    assert typist.type(typed(QUICKSTART)[-1].splitlines()) == []
    assert not (typist.home / "shop-local").exists()
