"""docs/screens.md: what is captured for it, and how it is laid out; tests/e2e/test_documents.py writes it."""

from __future__ import annotations

import re
from collections.abc import Callable

REVENUE = "SELECT brand_name, SUM(revenue) AS revenue FROM gold.v_revenue_by_brand GROUP BY 1 ORDER BY 2 DESC LIMIT 5"
SCREENS = (
    "medallion seed --changes 100 && medallion run",
    "medallion status",
    "medallion doctor",
    "medallion runs",
    "medallion runs show",
    "medallion logs bronze --lines 6",
    "medallion dashboard",
    f'medallion query "{REVENUE}"',
    "medallion verify",
    "medallion trace --table orders --key 1",
    "medallion peek silver orders --limit 3",
    "medallion lineage fact_payments",
)
WIDTHS = (80, 160)  # columns
HEAD = """# Screens

What terminals of 80 and of 160 columns show, captured while the quickstart was typed, without colour:
`MEDALLION_CAPTURES=docs/screens.md make test-recovery` writes this page anew.
"""


def title(line: str) -> str:
    """The section of a line: its last command's name and arguments, without options."""
    found = re.match(r"medallion ((?:[a-z_]+ ?)+)", line.rpartition("&& ")[2])
    assert found is not None, line
    return found[1].strip()


def page(seen: Callable[[str, int], str]) -> str:
    """The whole page; a block for each width at which a screen looks different."""
    parts = [HEAD]
    for line in SCREENS:
        parts.append(f"## {title(line)}\n")
        shown = dict.fromkeys(seen(line, width) for width in WIDTHS)
        parts += [f"```\n$ {line}\n{screen}\n```\n" for screen in shown]
    return "\n".join(parts)
