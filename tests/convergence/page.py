"""Writes what trials and mutants printed into docs/correctness.md, between its marks; nothing there is typed.

`make convergence TRIALS=200 SEED=1 > trials.log`, `make mutants REPORT=mutants.json`, then
`python tests/convergence/page.py --trials trials.log --mutants mutants.json`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "correctness.md"


def main(words: list[str] | None = None) -> int:
    """Writes the sections for which there is something."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", help="what `make convergence` printed")
    parser.add_argument("--mutants", help="what `make mutants` reported")
    options = parser.parse_args(words)
    text = PAGE.read_text(encoding="utf-8")
    if options.trials:
        text = replaced(text, "trials", summary(Path(options.trials).read_text(encoding="utf-8")))
    if options.mutants:
        found = json.loads(Path(options.mutants).read_text(encoding="utf-8"))
        text = replaced(text, "mutants", "\n".join(table(found)))
    PAGE.write_text(text, encoding="utf-8")
    return 0


def replaced(text: str, mark: str, section: str) -> str:
    """The page with a section's text between its marks."""
    start, end = f"<!-- {mark}: written by tests/convergence/page.py -->", f"<!-- end of {mark} -->"
    before, _, rest = text.partition(start)
    after = rest.partition(end)[2]
    if not rest or end not in rest:
        raise ValueError(f"{PAGE.name} has no place for {mark}")
    return f"{before}{start}\n{section}\n{end}{after}"


def summary(log: str) -> str:
    """The summary of trials as it was printed."""
    _, found, rest = log.rpartition("\ntrials ")
    if not found:
        raise ValueError("the trials have not come to their end")
    kept = [line for line in f"trials {rest}".splitlines() if line and not line.startswith("make: ")]
    return "\n".join(["```", *kept, "```"])


def table(report: dict[str, Any]) -> Iterator[str]:
    """A row a mutant: in which trial it was found, within how many it had to be, and what told."""
    yield "| what is broken | found in trial | has to be within | what the trial said first |"
    yield "|---|---|---|---|"
    for one in report["mutants"]:
        seed = one["seed"] if one["seed"] in report["passed"] else "not found"
        yield f"| {one['mutant']} | {seed} | {one['seeds']} | {told(one['reason'])} |"


def told(reason: str) -> str:
    """What failed, without the values of its rows."""
    kept = re.sub(r": \(.*| has Row\(.*", "", reason.removeprefix("at the end: "))
    return re.sub(r"trial_\d+(_silver|-run)?", "the trial's", kept).replace("|", "/")[:110]


if __name__ == "__main__":
    sys.exit(main())
