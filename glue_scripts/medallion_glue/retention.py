"""What is deleted of bronze and staging, and what never is.

Bronze goes by whole generations. A generation is deleted once its successor began longer ago than the retention and silver
holds the successor of every table: any state of the retention's days, and the present, can be rebuilt from what stays.
(An S3 lifecycle rule by age would take the full load from under its changes.) Staging can be staged again: it goes by age.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from medallion_glue.objects import Listed, delete, listed

GENERATION = re.compile(r"g\d{4,}")


def superseded(objects: Iterable[Listed], held: Iterable[str | None], before: datetime) -> list[str]:
    """Generations that can go; `held` are the generations that silver's tables hold (None: not loaded yet)."""
    began: dict[str, datetime] = {}
    for entry in objects:
        generation = entry.key.split("/")[0]
        if GENERATION.fullmatch(generation):
            began[generation] = min(entry.modified, began.get(generation, entry.modified))
    oldest_held = min((generation or "" for generation in held), default="")
    known = sorted(began)
    return [
        generation
        for generation, successor in pairwise(known)
        if successor <= oldest_held and began[successor] < before
    ]


def delete_generations(bucket: str, held: Iterable[str | None], before: datetime) -> dict[str, int]:
    """Deletes superseded generations; how many objects of each."""
    objects = list(listed(bucket))
    gone = superseded(objects, held, before)
    return {g: delete(bucket, [o.key for o in objects if o.key.startswith(f"{g}/")]) for g in gone}


def delete_older(bucket: str, before: datetime) -> int:
    """Deletes objects of before a moment; how many."""
    return delete(bucket, list(_older(bucket, before)))


def _older(bucket: str, before: datetime) -> Iterator[str]:
    return (entry.key for entry in listed(bucket) if entry.modified < before)
