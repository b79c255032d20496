"""The rows of somebody's MySQL into the environment's own source: read in one snapshot, written by the Lambda."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Noted, Progressed, Started
from medallion_cli.operations import marks
from medallion_cli.operations.scaffold.existing import Address, connected

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.aws.source import Source
    from medallion_cli.spec import Pipeline, Table

MARK = "rows"
LARGEST_ROWS, LARGEST_BYTES = 5_000, 3_000_000  # of one call: Lambda takes 6 MB

Row = list[Any]


def is_due(target: Target, copy_from: str | None) -> bool:
    """Whether an environment that is to be filled has not been yet."""
    return copy_from is not None and marks.read(target, MARK) is None


def copy_rows(
    target: Target, outputs: dict[str, str], pipeline: Pipeline, address: Address, secret: str
) -> Generator[Event, None, dict[str, int]]:
    """Every table's rows; how many, by table. Cut off, the same again goes over them once more and changes nothing."""
    from medallion_cli.aws.source import Source

    source = Source(target, outputs["SourceFunctionName"])
    written: dict[str, int] = {}
    step = f"rows of {address.database}"
    yield Started(step)
    with connected(address, secret) as connection:
        for table in pipeline.tables:
            names, rows = _selected(connection, address.database, table)
            written[table.name] = 0
            for chunk in chunks(rows):
                source.call("insert_rows", table=table.name, columns=names, rows=chunk)
                written[table.name] += len(chunk)
                yield Progressed(step, sum(written.values()), None, "rows")
    _compare(source, written)
    marks.write(target, MARK, address.url)
    yield Finished(step, f"{sum(written.values()):,} rows of {len(written)} tables")
    yield Noted(f"a copy: what changes at {address.host} from now on does not follow")
    return written


def _selected(connection: Any, database: str, table: Table) -> tuple[list[str], Iterator[Row]]:
    """(columns that take values, rows in key order) of one table; rows are read as they are asked for."""
    from pymysql.cursors import SSCursor

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s "
            "AND COALESCE(GENERATION_EXPRESSION, '') = '' ORDER BY ORDINAL_POSITION",
            (database, table.name),
        )
        there = [str(name) for (name,) in cursor.fetchall()]
    names = [column.name for column in table.columns if column.name in there]
    if not names:
        raise MedallionError(
            f"{database} has no table {table.name}", hint="leave it out of configs/pipeline.yaml"
        )
    listed = ", ".join(f"`{name}`" for name in names)
    key = ", ".join(f"`{name}`" for name in table.key)

    def rows() -> Iterator[Row]:
        with connection.cursor(SSCursor) as cursor:
            cursor.execute(f"SELECT {listed} FROM `{database}`.`{table.name}` ORDER BY {key}")
            for row in cursor:
                yield [{"hex": value.hex()} if isinstance(value, bytes) else value for value in row]

    return names, rows()


def chunks(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    """Rows in parts that one call takes."""
    part: list[Row] = []
    size = 0
    for row in rows:
        length = len(json.dumps(row)) + 1  # as it travels: beyond ASCII escaped
        if part and (len(part) >= LARGEST_ROWS or size + length > LARGEST_BYTES):
            yield part
            part, size = [], 0
        part.append(row)
        size += length
    if part:
        yield part


def _compare(source: Source, written: dict[str, int]) -> None:
    """MedallionError when the source holds fewer rows than were written: two of them had one key there."""
    there = source.call("counts")["tables"]
    for name, rows in written.items():
        if int(there.get(name, 0)) < rows:
            what = f"{name}: {rows:,} rows were read and {int(there.get(name, 0)):,} are there"
            raise MedallionError(
                what, hint="keys that only differ in case or accents? see its collation in the DDL"
            )
