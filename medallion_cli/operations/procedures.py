"""The warehouse's procedures as they were deployed: a digest of each, kept beside the runs, for `drift` to compare."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from medallion_cli.aws import s3

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.aws.warehouse import Warehouse

KEPT = "applied/procedures.json"
SOURCES = (
    "SELECT n.nspname, p.proname, p.prosrc FROM pg_proc p JOIN pg_namespace n ON p.pronamespace = n.oid "
    "WHERE n.nspname IN ('gold', 'etl') ORDER BY 1, 2"
)


def digests(warehouse: Warehouse) -> dict[str, str]:
    """A digest of each procedure's source by its name (`gold.merge_run`); overloads share one."""
    found: dict[str, list[str]] = {}
    for schema, name, source in warehouse.execute(SOURCES).rows:
        found.setdefault(".".join((str(schema), str(name))), []).append(" ".join(str(source).split()))
    return {
        name: hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16]
        for name, texts in found.items()
    }


def remember(target: Target, bucket: str, warehouse: Warehouse) -> None:
    """Keeps what was deployed."""
    s3.put_text(target, bucket, KEPT, json.dumps(digests(warehouse), indent=1))


def remembered(target: Target, bucket: str) -> dict[str, str] | None:
    """What was deployed; None when nobody kept it."""
    text = s3.read_text(target, bucket, KEPT)
    return json.loads(text) if text else None
