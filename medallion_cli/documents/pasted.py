"""What documents show of the tool is pasted by it: `python -m medallion_cli.documents.pasted docs/*.md` writes it anew.

A block after `<!-- made by: medallion lineage orders -->` holds what that command prints, 80 columns wide; after
`<!-- made by: the state machine -->` the diagram of a run. Only commands that ask no environment.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"(<!-- made by: ([^>]*?) -->\n```(\w*)\n)(.*?)(^```$)", re.DOTALL | re.MULTILINE)
MACHINE = "the state machine"
# States that only look, wait or choose are left out of the diagram of a run; what is between two others is one arrow.
STEP = re.compile(
    r"^(Check|Bronze|Silver|Housekeeping|Load|Merge|Write summary|Tell that|Read (generation|gold))"
)
FAILED = re.compile(r"^(Write failure|Tell)$")


def pasted(text: str) -> str:
    """A document with its blocks as they are now."""
    return BLOCK.sub(lambda found: f"{found[1]}{made_by(found[2])}{found[5]}", text)


def made_by(what: str) -> str:
    """The lines of one block."""
    lines = run_diagram() if what == MACHINE else printed(shlex.split(what)[1:])
    return "\n".join(line.rstrip() for line in lines.strip("\n").splitlines()) + "\n"


def printed(words: list[str]) -> str:
    """What a command prints on a terminal of 80 columns without colour, in the shipped project."""
    from medallion_cli.cli import _globals_first, _run

    kept, out = os.environ.get("COLUMNS"), io.StringIO()
    os.environ["COLUMNS"] = "80"
    try:
        with contextlib.redirect_stdout(out):
            _run(_globals_first(words))
    finally:
        os.environ.pop("COLUMNS") if kept is None else os.environ.update(COLUMNS=kept)
    return out.getvalue()


def run_diagram() -> str:
    """The steps of a run, from the state machine's definition, as Mermaid."""
    import yaml

    from medallion_cli.assets import Assets

    machine = yaml.safe_load(Assets.find_shipped().read("infra_templates/state_machine.yaml"))
    states: dict[str, Any] = machine["States"]
    arrows = [(a, b) for a in states if STEP.match(a) for b in sorted(_reached(states, a))]
    first = [("Start", b) for b in sorted(_reached(states, machine["StartAt"]))]
    names = ["Start", *(name for name in states if STEP.match(name))]
    boxes = [
        f'  {_id(name)}(["{name}"])' if name == "Start" else f'  {_id(name)}["{name}"]' for name in names
    ]
    return "\n".join(["flowchart TD", *boxes, *(f"  {_id(a)} --> {_id(b)}" for a, b in (*first, *arrows))])


def _reached(states: dict[str, Any], start: str) -> set[str]:
    """The steps that follow a state with nothing but looks, waits and choices between; failures are left out."""
    found: set[str] = set()
    seen: set[str] = set()
    queue = _next(states[start])
    while queue:
        name = queue.pop()
        if name in seen or name not in states or FAILED.match(name):
            continue
        seen.add(name)
        if STEP.match(name):
            found.add(name)
        else:
            queue += _next(states[name])
    return found - {start}


def _next(state: dict[str, Any]) -> list[str]:
    ways = [state.get("Next"), state.get("Default"), *(each.get("Next") for each in state.get("Choices", ()))]
    return [str(way) for way in ways if way]


def _id(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower())


def main(names: list[str]) -> None:
    """Writes the documents anew."""
    for path in map(Path, names):
        path.write_text(pasted(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
