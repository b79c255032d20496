"""docs/correctness.md: every test and file that it names exists, every fault that can be simulated is told of."""

from __future__ import annotations

import re
from pathlib import Path

from medallion_cli.commands.completion import OWN
from medallion_cli.local.replication.simulation import KINDS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/correctness.md").read_text(encoding="utf-8")
CATALOGUE = ROOT / "docs/findings.md"


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/.]+)::(test_\w+)`", PAGE)
    assert len(named) > 30
    missing = [f"{p}::{t}" for p, t in named if not re.search(rf"^def {t}\(", _text(p), re.MULTILINE)]
    assert missing == []


def test_every_file_that_is_named_exists() -> None:
    named = re.findall(r"`((?:tests|docs)/[\w/.-]+)`", PAGE)
    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_every_guarantee_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [row for row in rows if "::test_" not in row] == []
    assert [int(row.split(" | ")[0].strip("| ")) for row in rows] == list(range(1, len(rows) + 1))


def test_every_rule_of_order_names_a_test_and_every_test_of_order_a_rule() -> None:
    section = PAGE.partition("## Rules of order")[2].partition("\n## ")[0]
    rules = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert [rule for rule in rules if "::test_" not in rule] == []
    tests = re.findall(r"^def (test_\w+)", _text("tests/local/spark/test_row_order.py"), re.MULTILINE)
    assert [test for test in tests if test not in section] == []


def test_every_code_that_is_named_is_in_the_catalogue() -> None:
    codes = set(re.findall(r"`(MED-[A-Z]+-\d+)`", PAGE))
    assert codes
    assert sorted(code for code in codes if code not in CATALOGUE.read_text(encoding="utf-8")) == []


def test_every_fault_that_can_be_simulated_is_told_of_and_offered() -> None:
    assert [kind for kind in KINDS if f"| `{kind}` |" not in PAGE] == []
    assert OWN["local simulate", "kind"](None) == tuple(KINDS)  # type: ignore[arg-type]


def _text(path: str) -> str:
    file = ROOT / path
    return file.read_text(encoding="utf-8") if file.is_file() else ""
