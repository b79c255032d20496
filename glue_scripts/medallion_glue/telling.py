"""Lines in the job's log, from which `medallion run` shows how far it is."""

from __future__ import annotations

import sys


def tell(line: str) -> None:
    """One line, whole and at once, whichever thread tells it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
