"""The figures in docs/correctness.md are of the mutants and trials that there are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONVERGENCE = ROOT / "tests" / "convergence"
MARKED = "# A page\n<!-- {0}: written by tests/convergence/page.py -->\nbefore\n<!-- end of {0} -->\nrest\n"


def test_every_row_is_of_a_mutant_that_was_found_within_its_seeds() -> None:
    sys.path.insert(0, str(CONVERGENCE))
    from mutant_list import MUTANTS

    page = (ROOT / "docs/correctness.md").read_text(encoding="utf-8")
    rows = [
        line.strip("| ").split(" | ")
        for line in page.partition("<!-- mutants:")[2].partition("<!-- end")[0].splitlines()
        if "|" in line
    ]
    seeds = {mutant.name: mutant.seeds for mutant in MUTANTS}
    assert rows[2:]
    for name, seed, within, _ in rows[2:]:
        assert int(seed) <= int(within) == seeds[name], name


def test_what_was_printed_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    log, report = tmp_path / "log", tmp_path / "report.json"
    log.write_text("seed 1 (parts): equal\n\ntrials 1 (1 of the parts)\ndivergences 0 \n")
    outcome = {
        "mutant": "a rule",
        "seeds": 8,
        "seed": 2,
        "reason": "at the end: gold.child: ('1',): expected None",
    }
    report.write_text(
        json.dumps({"passed": [2], "mutants": [outcome, {**outcome, "mutant": "other", "seed": 3}]})
    )
    page = _written(tmp_path, "--trials", str(log), "--mutants", str(report))
    assert "before" not in page
    assert "```\ntrials 1 (1 of the parts)\ndivergences 0 \n```" in page
    assert "| a rule | 2 | 8 | gold.child |" in page
    assert "| other | not found | 8 |" in page


def _written(folder: Path, *words: str) -> str:
    """A page of its own, written by the script."""
    page = folder / "page.md"
    page.write_text(MARKED.format("trials") + MARKED.format("mutants"))
    code = f"import sys, page; from pathlib import Path; page.PAGE = Path({str(page)!r}); sys.exit(page.main({list(words)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=CONVERGENCE, check=True)
    return page.read_text()


@pytest.mark.parametrize("log", ["", "seed 1 (parts): equal\n"])
def test_trials_without_an_end_are_refused(tmp_path: Path, log: str) -> None:
    (tmp_path / "log").write_text(log)
    with pytest.raises(subprocess.CalledProcessError):
        _written(tmp_path, "--trials", str(tmp_path / "log"))
