"""What a failed run failed of, by its cause's own words."""

from __future__ import annotations

import re

# the first that matches; None: told by a check of its own
CAUSES: tuple[tuple[str, str | None], ...] = (
    (r"replication is (?!running)|Medallion\.ReplicationNotRunning", None),
    (r"no space left|disk full|Errcode: 28", "MED-ENV-004"),
    (r"is not a Parquet file|magic number|footer|corrupt\w*|not Parquet|cannot be read", "MED-SIL-004"),
    (r"expectation|breaks? the rule", "MED-SIL-002"),
    (r"restage|last `?to`?|position|out of order", "MED-GLD-003"),
    (r"lock timeout|canceling statement|deadlock|\b1023\b|serializable|statement timeout|was cancel", "MED-GLD-004"),
    (r"usage limit|query is not allowed", "MED-GLD-005"),
    (r"Medallion\.CopyFailed|\bCOPY\b|Spectrum|incompatible Parquet|stl_load|staging\.", "MED-GLD-002"),
    (r"no connection to|could not connect|connection was lost|DatabaseConnectionException", "MED-GLD-001"),
)  # fmt: skip


def code_of(cause: str) -> str | None:
    """The code of a cause; that of any failed run when none of the rows fits; None when another check tells it."""
    for pattern, code in CAUSES:
        if re.search(pattern, cause, re.IGNORECASE):
            return code
    return "MED-RUN-001"
