"""`python tests/convergence/mutants.py`: breaks the product rule by rule; 1 when a mutant lives, or its text is not there.

Each mutant is a copy of the product with a patch, and trials of the harness over it, in a process of their own.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutant_list import MUTANTS, Mutant

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PARTS = ("medallion_cli", "glue_scripts", "sql", "configs", "infra_templates", "pyproject.toml")


def main(words: list[str] | None = None) -> int:
    """Runs the chosen mutants; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="part of a mutant's name")
    parser.add_argument("--check", action="store_true", help="only look whether every patch still fits")
    parser.add_argument(
        "--seconds", type=float, default=0, help="begin no mutant after so many (0: no limit)"
    )
    options = parser.parse_args(words)
    chosen = [m for m in MUTANTS if options.only in m.name]
    if options.check:
        print(f"{sum(map(check, chosen))} mutants fit the product; none was run")
        return 0
    started, alive, tried = time.monotonic(), [], 0
    for mutant in chosen:
        if options.seconds and time.monotonic() - started > options.seconds:
            break
        tried += 1
        if not killed(mutant):
            alive.append(mutant.name)
    print(
        f"{tried} of {len(chosen)} mutants run, {tried - len(alive)} killed, not killed: {', '.join(alive) or 'none'}; "
        f"{time.monotonic() - started:.0f} s"
    )
    return 1 if alive or tried < len(chosen) or not chosen else 0


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


def killed(mutant: Mutant) -> bool:
    """Whether the harness finds the mutant within its seeds."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        root = copied(Path(home))
        for patch in mutant.patches:
            patch.apply(root)
        done = trials(root, 1, mutant.seeds)
    said = re.search(r"seed (\d+) \(parts\): DIVERGED.*", done.stdout)
    why = next((line.strip() for line in done.stdout.splitlines() if line.startswith("  ") and said), "")
    seconds = time.monotonic() - started
    if said is None:
        print(
            f"ALIVE   {mutant.name}: {mutant.seeds} seeds, {seconds:.0f} s {done.stderr[-300:]}", flush=True
        )
        return False
    if not converges(int(said[1])):
        print(f"UNSHOWN {mutant.name}: the product itself diverges at seed {said[1]}", flush=True)
        return False
    print(
        f"killed  {mutant.name}: seed {said[1]} of {mutant.seeds}, {seconds:.0f} s: {_reason(done.stdout) or why}",
        flush=True,
    )
    return True


def trials(root: Path, seed: int, count: int) -> subprocess.CompletedProcess[str]:
    """Trials of the parts over the product in `root`, until the first divergence."""
    return subprocess.run(
        [sys.executable, HERE / "converge.py", "--trials", str(count), "--seed", str(seed), "--parts", "--first"],
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip


@functools.cache
def converges(seed: int) -> bool:
    """Whether the product as it is passes the trial: only then has the trial found the mutant."""
    said = trials(ROOT, seed, 1).stdout
    return "trials 1 (" in said and "divergences 0" in said


def _reason(text: str) -> str:
    """The first problem that was told."""
    found = [line.strip() for line in text.splitlines() if re.match(r"  \S", line) and "again:" not in line]
    return found[0][:150] if found else ""


if __name__ == "__main__":
    sys.exit(main())
