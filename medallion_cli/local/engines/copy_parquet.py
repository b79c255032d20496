"""Redshift's COPY from Parquet, as strict as Redshift: positional, same columns, same types, all or nothing.

Rules: Redshift developer guide, "COPY from columnar data formats". The rows are handed out as CSV blocks for
a COPY … FROM STDIN on the caller's own connection, so that a rollback takes them back.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli.local.engines.sql_lexer import Token, arguments, closing, render, tokenize

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 16_384
_ALLOWED = "FORMAT AS PARQUET, IAM_ROLE, MANIFEST, FILLRECORD, STATUPDATE, ACCEPTINVCHARS"


class CopyError(Exception):
    """COPY was refused or its data does not fit the table; the message is in Redshift's words."""


@dataclass(frozen=True)
class CopyStatement:
    """COPY table [(columns)] FROM 's3://…' and its options; `table` is SQL text, `columns` identifiers."""

    table: str
    columns: tuple[str, ...]
    uri: str
    manifest: bool = False
    fillrecord: bool = False


@dataclass(frozen=True)
class TableColumn:
    """A target column: catalog name, quoted name, PostgreSQL type (`numeric`), modifiers, identity."""

    name: str
    quoted: str
    type: str
    precision: int | None
    scale: int | None
    identity: bool


@dataclass(frozen=True)
class Bucket:
    """How COPY reaches objects: `path(bucket, key)` and `keys(bucket, prefix)`."""

    path: Callable[[str, str], Path]
    keys: Callable[[str, str], list[str]]


@dataclass(frozen=True)
class CopyPlan:
    """What to send: the PostgreSQL statement, and the files with their URIs."""

    statement: CopyStatement
    sql: str
    columns: tuple[TableColumn, ...]
    files: tuple[tuple[str, Path], ...]

    def blocks(self) -> Iterator[bytes]:
        """CSV blocks of all files, one record batch each. CopyError for a file that does not fit."""
        for uri, path in self.files:
            yield from _file_blocks(uri, path, self)

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(path.stat().st_size for _, path in self.files)


def parse(sql: str) -> CopyStatement | None:
    """The COPY statement, or None for another one. CopyError for what COPY from Parquet does not take."""
    tokens = [token for token in tokenize(sql) if token.text != ";"]
    if not tokens or tokens[0].key != "COPY":
        return None
    source = next((index for index, token in enumerate(tokens) if token.key == "FROM"), None)
    if source is None or source + 1 >= len(tokens) or tokens[source + 1].kind != "string":
        raise CopyError("COPY takes its data FROM 's3://…' only")
    target, columns = _target(tokens[1:source])
    options = _options(tokens[source + 2 :])
    if not options.get("PARQUET"):
        raise CopyError("the local warehouse takes COPY … FORMAT AS PARQUET only")
    uri = _literal(tokens[source + 1])
    if not uri.startswith("s3://"):
        raise CopyError(f"COPY from {uri} is not supported: only s3:// URIs are")
    return CopyStatement(target, columns, uri, "MANIFEST" in options, "FILLRECORD" in options)


def _target(tokens: list[Token]) -> tuple[str, tuple[str, ...]]:
    opening = next((index for index, token in enumerate(tokens) if token.text == "("), len(tokens))
    columns: tuple[str, ...] = ()
    if opening < len(tokens):
        inner = tokens[opening + 1 : closing(tokens, opening)]
        columns = tuple(render(argument) for argument in arguments(inner))
    return render(tokens[:opening]), columns


def _options(tokens: list[Token]) -> dict[str, bool]:
    found: dict[str, bool] = {}
    index = 0
    while index < len(tokens):
        keys = [token.key for token in tokens[index : index + 4]]
        match keys:
            case ["FORMAT", "AS", "PARQUET", *_]:
                found["PARQUET"], index = True, index + 3
            case ["FORMAT", "PARQUET", *_]:
                found["PARQUET"], index = True, index + 2
            case ["IAM_ROLE", _, *_]:
                found["IAM_ROLE"], index = True, index + 2
            case ["MANIFEST" | "FILLRECORD" as option, *_]:
                found[option], index = True, index + 1
            case ["STATUPDATE", "ON" | "OFF" | "TRUE" | "FALSE", *_]:
                index += 2
            case ["STATUPDATE", *_]:
                index += 1
            case ["ACCEPTINVCHARS", *_]:
                index += 1 + (keys[1:2] == ["AS"])
                index += index < len(tokens) and tokens[index].kind == "string"
            case _:
                raise CopyError(
                    f"{keys[0]} argument is not supported for PARQUET based COPY (allowed: {_ALLOWED})"
                )
    if "IAM_ROLE" not in found:
        raise CopyError("COPY needs IAM_ROLE 'arn:…' or IAM_ROLE default")
    return found


def _literal(token: Token) -> str:
    return token.text[1:-1].replace("''", "'")


def columns_query(table: str) -> str:
    """Catalog query for a table's columns; its rows are what `table_columns` takes, all as text."""
    literal = table.replace("'", "''")
    return (
        "SELECT a.attname, quote_ident(a.attname), t.typname, a.atttypmod, a.attidentity <> '' "
        "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        f"WHERE a.attrelid = '{literal}'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )


def table_columns(rows: list[tuple[str, ...]]) -> tuple[TableColumn, ...]:
    """Columns from the catalog's rows (name, quoted name, type, modifier, identity)."""
    return tuple(_table_column(*row) for row in rows)


def _table_column(name: str, quoted: str, kind: str, modifier: str, identity: str) -> TableColumn:
    precision = scale = None
    if kind == "numeric" and int(modifier) >= 0:
        precision, scale = (int(modifier) - 4) >> 16, (int(modifier) - 4) & 0xFFFF
    return TableColumn(name, quoted, kind, precision, scale, identity in ("t", "true", "True"))


def plan(statement: CopyStatement, columns: tuple[TableColumn, ...], bucket: Bucket) -> CopyPlan:
    """Resolves files and target columns. CopyError when there is no file or a column is unknown."""
    if statement.columns:
        named = {column.quoted: column for column in columns} | {column.name: column for column in columns}
        missing = [name for name in statement.columns if name.lower() not in named and name not in named]
        if missing:
            raise CopyError(f'column "{missing[0]}" of relation "{statement.table}" does not exist')
        chosen = tuple(named.get(name) or named[name.lower()] for name in statement.columns)
    else:
        chosen = tuple(column for column in columns if not column.identity)
    names = ", ".join(column.quoted for column in chosen)
    sql = f"COPY {statement.table} ({names}) FROM STDIN (FORMAT csv)"
    return CopyPlan(statement, sql, chosen, tuple(_files(statement, bucket)))


def _files(statement: CopyStatement, bucket: Bucket) -> list[tuple[str, Path]]:
    name, _, key = statement.uri.removeprefix("s3://").partition("/")
    if statement.manifest:
        found = _manifest_files(bucket.path(name, key), statement.uri, bucket)
    else:
        keys = [key for key in bucket.keys(name, key) if _visible(key)]
        found = [(f"s3://{name}/{key}", bucket.path(name, key)) for key in keys]
    if not found:
        raise CopyError(f"The specified S3 prefix '{key}' does not exist in bucket '{name}': no file to load")
    return found


def _visible(key: str) -> bool:
    return not key.rsplit("/", 1)[-1].startswith(("_", ".", "#")) and not key.endswith("/")


def _manifest_files(path: Path, uri: str, bucket: Bucket) -> list[tuple[str, Path]]:
    try:
        entries = json.loads(path.read_text())["entries"]
    except FileNotFoundError:
        raise CopyError(f"Problem reading manifest file: {uri} does not exist") from None
    except (ValueError, KeyError, TypeError):
        raise CopyError(f"Invalid manifest file: {uri} is not a JSON object with entries") from None
    found = []
    for entry in entries:
        file = _manifest_file(entry, bucket)
        found += [(str(entry["url"]), file)] if file is not None else []
    return found


def _manifest_file(entry: dict[str, Any], bucket: Bucket) -> Path | None:
    """The entry's file; None when it is absent and not mandatory (Redshift's default)."""
    url = str(entry.get("url", ""))
    name, _, key = url.removeprefix("s3://").partition("/")
    length = entry.get("meta", {}).get("content_length")
    if not url.startswith("s3://") or not key:
        raise CopyError(f"Invalid manifest file: entry with url '{url}'")
    if length is None:
        raise CopyError(
            f"Invalid manifest file: {url} has no meta.content_length, which columnar formats need"
        )
    path = bucket.path(name, key)
    if not path.is_file():
        if entry.get("mandatory", False):
            raise CopyError(f"The mandatory file {url} of the manifest does not exist")
        return None
    if path.stat().st_size != length:
        raise CopyError(f"{url} has {path.stat().st_size} bytes, the manifest says content_length {length}")
    return path


def _file_blocks(uri: str, path: Path, plan: CopyPlan) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise CopyError(
            f"Spectrum Scan Error: {uri} is not a Parquet file ({str(error).splitlines()[0]})"
        ) from None
    with file:
        _check_schema(uri, file.schema_arrow, plan)
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
            yield _csv(batch, plan.columns)


def _check_schema(uri: str, schema: pa.Schema, plan: CopyPlan) -> None:
    expected, present = len(plan.columns), len(schema)
    if present > expected or (present < expected and not plan.statement.fillrecord):
        raise CopyError(
            f"Unmatched number of columns between table and file. Table columns: {expected}, "
            f"Data columns: {present}, File name: {uri}"
        )
    for field, column in zip(schema, plan.columns, strict=False):
        if not _fits(field.type, column):
            raise CopyError(
                f"Spectrum Scan Error: File '{uri}' has an incompatible Parquet schema for column "
                f"'{plan.statement.table}.{column.name}'. Column type: {_type_name(column)}, "
                f"Parquet schema: {field.type} {field.name}"
            )


def _type_name(column: TableColumn) -> str:
    if column.precision is not None:
        return f"DECIMAL({column.precision},{column.scale})"
    names = {"int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT", "jsonb": "SUPER", "bytea": "VARBYTE"}
    return names.get(column.type, column.type.upper())


def _fits(found: pa.DataType, column: TableColumn) -> bool:
    """Whether Redshift takes this Parquet type for the column: no widening, no narrowing."""
    import pyarrow as pa

    match column.type:
        case "int2":
            return bool(pa.types.is_int16(found) or pa.types.is_int8(found))
        case "int4":
            return bool(pa.types.is_int32(found))
        case "int8":
            return bool(pa.types.is_int64(found))
        case "numeric":
            return bool(
                pa.types.is_decimal(found)
                and found.scale == column.scale
                and found.precision <= (column.precision or 0)
            )
        case "varchar" | "bpchar" | "text" | "jsonb":
            return bool(pa.types.is_string(found) or pa.types.is_large_string(found))
        case "bytea":
            return bool(
                pa.types.is_binary(found)
                or pa.types.is_large_binary(found)
                or pa.types.is_fixed_size_binary(found)
            )
        case "timestamp" | "timestamptz":
            return bool(pa.types.is_timestamp(found))
        case "bool" | "date" | "float4" | "float8" | "time":
            exact = {"bool": pa.bool_(), "date": pa.date32(), "float4": pa.float32(), "float8": pa.float64()}
            return bool(found == exact.get(column.type, pa.time64("us")))
        case _:
            return False


def _csv(batch: pa.RecordBatch, columns: tuple[TableColumn, ...]) -> bytes:
    """A block of CSV lines: NULL is empty, an empty string is quoted."""
    import pyarrow as pa
    import pyarrow.csv as pc

    arrays = [_text(batch.column(index), columns[index]) for index in range(batch.num_columns)]
    arrays += [pa.nulls(batch.num_rows) for _ in columns[batch.num_columns :]]
    table = pa.table(arrays, names=[str(index) for index in range(len(arrays))])
    out = io.BytesIO()
    pc.write_csv(table, out, pc.WriteOptions(include_header=False))
    return out.getvalue()


def _text(array: pa.Array, column: TableColumn) -> pa.Array:
    import pyarrow as pa

    match column.type:
        case "numeric":
            return array.cast(pa.string())
        case "timestamp" | "timestamptz":
            # The wall clock of UTC, whether or not the file says "adjusted to UTC".
            return array.cast(pa.timestamp("us", array.type.tz), safe=False).cast(pa.timestamp("us"))
        case "bytea":
            return pa.array([None if value is None else "\\x" + value.hex() for value in array.to_pylist()])
        case "jsonb":
            return pa.array([None if value is None else json.dumps(value) for value in array.to_pylist()])
        case _:
            return array
