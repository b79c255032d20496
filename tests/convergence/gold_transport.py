"""The warehouse brought to a project as `up` does it, through a session of the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """As aws.warehouse.Rows, as far as operations look at it."""

    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Transport:
    """The scratch warehouse as operations see one."""

    warehouse: Any

    def execute(self, sql: str, params: dict[str, object] | None = None) -> Answer:
        """One statement; named parameters become literals."""
        for name, value in (params or {}).items():
            sql = sql.replace(f":{name}", "'" + str(value).replace("'", "''") + "'")
        return Answer(self.warehouse.run(sql))


def bring_gold(warehouse: Any, pipeline: Any, assets: Any) -> None:
    """Schemas, tables, procedures, views."""
    from medallion_cli.operations.migrations import bring

    for _ in bring(Transport(warehouse), pipeline, assets):
        pass
