"""`make mutants`: breaks the product rule by rule; 1 when a mutant lives, or its text is not there.

Each mutant is a copy of the product with a patch, and trials of the harness over it, in a process of their own, from seed 1
until one diverges. It counts as killed only if the product itself passes the trial that diverged.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutant_list import MUTANTS, Mutant

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PARTS = ("medallion_cli", "glue_scripts", "sql", "configs", "infra_templates", "pyproject.toml")


@dataclass(frozen=True)
class Outcome:
    """What trials over a mutant showed; `seed` is None where none diverged."""

    mutant: str
    seeds: int  # within so many it has to be found
    seed: int | None
    reason: str
    seconds: float


def main(words: list[str] | None = None) -> int:
    """Runs the chosen mutants; the exit code."""
    options = _options(words)
    wanted = [mutant for mutant in MUTANTS if options.only in mutant.name]
    if options.check:
        print(f"{sum(map(check, wanted))} mutants fit the product; none was run")
        return 0
    found: list[Outcome] = []
    for mutant in wanted:
        found.append(tried(mutant))
        _keep(options.report, found, set())
    seeds = sorted({outcome.seed for outcome in found if outcome.seed is not None})
    passed = passes(seeds)
    alive = [outcome.mutant for outcome in found if outcome.seed not in passed]
    _keep(options.report, found, passed)
    print(f"the product itself: {len(passed)} of seeds {seeds} equal")
    print(
        f"{len(found)} mutants run, {len(found) - len(alive)} killed, not killed: {', '.join(alive) or 'none'}"
    )
    return 1 if alive or not found else 0


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="part of a mutant's name")
    parser.add_argument("--check", action="store_true", help="only look whether every patch still fits")
    parser.add_argument(
        "--report", help="write the outcomes to this file, as JSON (page.py makes a table of it)"
    )
    return parser.parse_args(words)


def _keep(file: str | None, found: list[Outcome], passed: set[int]) -> None:
    """What is known so far: it takes long, and what was shown is not lost when it is ended."""
    if file:
        told = {"passed": sorted(passed), "mutants": [asdict(outcome) for outcome in found]}
        Path(file).write_text(json.dumps(told, indent=1))


def copied(folder: Path) -> Path:
    """A copy of the product."""
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def check(mutant: Mutant) -> bool:
    """Whether the patches fit."""
    with tempfile.TemporaryDirectory() as home:
        for patch in mutant.patches:
            target = Path(home) / patch.file
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy(ROOT / patch.file, target)
            patch.apply(Path(home))
    return True


def tried(mutant: Mutant) -> Outcome:
    """Trials over the mutant, until one diverges or its seeds are at an end."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        root = copied(Path(home))
        for patch in mutant.patches:
            patch.apply(root)
        done = trials(root, "--trials", str(mutant.seeds), "--seed", "1", "--first")
    said = re.search(r"seed (\d+) \(parts\): DIVERGED", done.stdout)
    seed, reason = (int(said[1]), _reason(done.stdout)) if said else (None, done.stderr[-300:])
    outcome = Outcome(mutant.name, mutant.seeds, seed, reason, time.monotonic() - started)
    state = f"seed {seed} of {mutant.seeds}" if said else f"ALIVE after {mutant.seeds} seeds"
    print(f"{mutant.name}: {state}, {outcome.seconds:.0f} s: {reason}", flush=True)
    return outcome


def trials(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Trials of the parts over the product in `root`."""
    return subprocess.run(
        [sys.executable, HERE / "converge.py", "--parts", *words],
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip


def passes(seeds: list[int]) -> set[int]:
    """The seeds whose trials the product as it is passes: only then has a trial found a mutant."""
    if not seeds:
        return set()
    said = trials(ROOT, "--only", ",".join(map(str, seeds))).stdout
    return {int(seed) for seed in re.findall(r"^seed (\d+) \(parts\): equal", said, re.MULTILINE)}


def _reason(text: str) -> str:
    """The first problem that was told."""
    found = [line.strip() for line in text.splitlines() if re.match(r"  \S", line) and "again:" not in line]
    return found[0][:150] if found else ""


if __name__ == "__main__":
    sys.exit(main())
