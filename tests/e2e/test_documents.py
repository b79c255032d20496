"""The quickstart and the guides are typed as they stand, in one environment; `<!-- run -->` marks what is.

With MEDALLION_CAPTURES=docs/screens.md what the screens show meanwhile is written there, at 80 columns.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import REPOSITORY

pytestmark = [pytest.mark.engine, pytest.mark.recovery]
DOCUMENTS = REPOSITORY / "docs"
MARKED = re.compile(r"<!-- run(?:: project)? -->\n```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SCREENS = (
    "medallion status",
    "medallion doctor",
    "medallion runs",
    "medallion runs show",
    "medallion dashboard",
    "medallion verify",
    "medallion trace --table orders --key 1",
    "medallion peek silver orders --limit 3",
    "medallion lineage fact_payments",
)
HEAD = """# Screens

What the terminal shows at 80 columns, captured while the quickstart was typed, without colour:
`MEDALLION_CAPTURES=docs/screens.md make test-recovery` writes this page anew.
"""
GUIDES = ("add-a-table.md", "add-a-model.md", "recover.md")


def blocks(path: Path) -> list[str]:
    """The marked blocks of a document."""
    return MARKED.findall(path.read_text(encoding="utf-8"))


def lines() -> Iterator[str]:
    """Every line to type: the guides' between the quickstart's and its last block, which takes everything down."""
    *first, last = blocks(DOCUMENTS / "quickstart.md")
    guides = [block for name in GUIDES for block in blocks(DOCUMENTS / "guides" / name)]
    for block in (*first, *guides, last):
        yield from block.splitlines()


def captured(folder: Path, variables: dict[str, str]) -> str:
    """The screens, one block each."""
    parts = [HEAD]
    for line in SCREENS:
        done = subprocess.run(
            line, shell=True, cwd=folder, env={**variables, "COLUMNS": "80"}, capture_output=True, text=True, check=False
        )  # fmt: skip
        shown = "\n".join(each.rstrip() for each in done.stdout.strip("\n").splitlines())
        parts.append(f"## {line.split(' --')[0].removeprefix('medallion ')}\n\n```\n$ {line}\n{shown}\n```\n")
    return "\n".join(parts)


def test_every_line_does_what_the_text_says(home: Path) -> None:
    folder, told = home / "typed", []
    folder.mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "MEDALLION_STATE_HOME": str(home), "PATH": path}
    for line in lines():
        if line.startswith("cd "):
            folder /= line.removeprefix("cd ")
            continue
        if line.startswith("medallion local stop") and (file := os.environ.get("MEDALLION_CAPTURES")):
            (REPOSITORY / file).write_text(captured(folder, variables), encoding="utf-8")
        done = subprocess.run(
            line, shell=True, cwd=folder, env=variables, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )  # fmt: skip
        if done.returncode:
            told.append(f"{line}: exit {done.returncode}\n{done.stdout[-600:]}\n{done.stderr[-600:]}")
    assert told == []
    assert len(list(lines())) > 30
