"""How much is left of the disk that an environment lives on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

LEAST_MEGABYTES: Final = 32  # with less, databases wait for space instead of failing


def free_megabytes(folder: Path) -> int:
    """What an ordinary user can still write there."""
    return shutil.disk_usage(folder).free >> 20


def shortage(folder: Path) -> str:
    """What is to be told of a disk on which nothing can go on; "" while there is room."""
    free = free_megabytes(folder)
    if free >= LEAST_MEGABYTES:
        return ""
    return f"no space left on the disk of {folder} ({free} MB free, {LEAST_MEGABYTES} MB needed)"
