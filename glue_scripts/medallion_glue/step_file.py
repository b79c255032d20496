"""A step file that Step Functions can carry: 256 KiB between two states, with every quote of the text escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

ROOM = 120_000  # bytes; the run's summary holds gold's counts beside it
KEPT = (100, 20, 5, 1, 0)  # entries of a list, until it fits
LONGEST = 1_000  # characters of an error
Document = dict[str, Any]


def fitted(document: Document) -> Document:
    """The document, with lists of bad files, of samples and of drift cut where it is too large; totals are kept."""
    found = document
    for kept in KEPT:
        if len(json.dumps(found, default=str)) <= ROOM:
            break
        found = {**document, "tables": [_cut(entry, kept) for entry in document["tables"]]}
    return found


def _cut(entry: Mapping[str, Any], kept: int) -> Document:
    files = sorted(entry.get("set_aside") or (), key=lambda file: file["reason"] == "no_rows")
    rules = [{**rule, "sample": rule["sample"][:kept]} for rule in entry.get("expectations") or ()]
    error = entry.get("error")
    return {
        **entry,
        "set_aside": files[:kept],
        "set_aside_total": len(files),
        "expectations": rules,
        "drift": list(entry.get("drift") or ())[: max(kept, 1)],
        "error": error[:LONGEST] if error else error,
    }
