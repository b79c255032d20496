"""Long tables on a terminal: in the reader's own pager, lines uncut, to be moved through sideways."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence

PAGER = "less"
LESS = "-SFRX"  # lines uncut, nothing to leave where it fits, colours, the screen kept


def fits(columns: Sequence[str], rows: Sequence[Sequence[object]], size: tuple[int, int]) -> bool:
    """Whether a table can be read on a screen of (width, height) as it is; cells are looked at as text."""
    width, height = size
    if len(rows) + 3 > height:
        return False
    widest = [
        max(len(str(value)) for value in (name, *(row[k] for row in rows))) for k, name in enumerate(columns)
    ]
    return sum(widest) + 2 * (len(columns) - 1) <= width


def page(text: str) -> bool:
    """Shows text in `$PAGER` (or less); False when there is none, or it was told to be `cat`-less: set to nothing."""
    command = shlex.split(os.environ.get("PAGER", PAGER))
    if not command or shutil.which(command[0]) is None:
        return False
    environment = {"LESS": LESS, **os.environ}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=environment)
    try:
        process.communicate(text)
    except (BrokenPipeError, KeyboardInterrupt):  # left before the end
        process.wait()
    return True
