"""Where state and caches of this machine's user live: `MEDALLION_*_HOME`, else XDG's folders."""

from __future__ import annotations

import os
from pathlib import Path


def state_root() -> Path:
    """Where environments live; root's not in its home, which the unprivileged engines could not enter."""
    return _root("MEDALLION_STATE_HOME", "XDG_STATE_HOME", ".local/state", "/var/lib/medallion")


def cache_root() -> Path:
    """What can be made again: downloaded engines, parsed DDL, how long resources took."""
    return _root("MEDALLION_CACHE_HOME", "XDG_CACHE_HOME", ".cache", "/var/cache/medallion")


def _root(own: str, xdg: str, home: str, system: str) -> Path:
    if given := os.environ.get(own):
        return Path(given).resolve()
    if given := os.environ.get(xdg):
        return Path(given).resolve() / "medallion"
    return Path(system) if os.geteuid() == 0 else Path.home() / home / "medallion"
