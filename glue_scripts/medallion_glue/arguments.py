"""Job arguments: Glue passes `--name value` pairs, its own among them."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def read_arguments(*required: str, argv: Sequence[str] | None = None, **optional: str) -> dict[str, str]:
    """The named arguments; unknown ones (Glue's own) are left out. SystemExit names the first missing one."""
    given = _pairs(sys.argv[1:] if argv is None else argv)
    if missing := [name for name in required if name not in given]:
        raise SystemExit(f"missing argument --{missing[0]}")
    found = {name: given[name] for name in required}
    return found | {name: given.get(name, default) for name, default in optional.items()}


def chosen(names: str, known: Sequence[str]) -> list[str]:
    """`all` or a comma list, in the order of `known`; SystemExit names an unknown one."""
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    if unknown := wanted - {"all", *known}:
        raise SystemExit(f"unknown name {min(unknown)!r} (known: {', '.join(known)})")
    return [name for name in known if name in wanted or "all" in wanted]


def _pairs(argv: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    words = list(argv)
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            pairs[name] = value if equals else (words.pop(0) if words else "")
    return pairs
