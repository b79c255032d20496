"""COPY from Parquet goes by position and converts nothing: staging's columns are the file's, in order and type.

Redshift developer guide, "COPY from columnar data formats".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from medallion_cli.ddl import parse_tables, redshift_to_spark
from medallion_cli.errors import UsageError
from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import words

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.spec import Model, Pipeline

STAGING = "glue_scripts/medallion_glue/staging.py"
REFUSED = words(
    """
    REGION MAXERROR ACCEPTANYDATE DELIMITER CSV JSON AVRO GZIP IGNOREHEADER TIMEFORMAT DATEFORMAT
    TRUNCATECOLUMNS NULL BLANKSASNULL EMPTYASNULL ESCAPE FIXEDWIDTH REMOVEQUOTES ROUNDEC ENCRYPTED
    NOLOAD
    """
)
BATCH = 40  # statements that the Data API takes at once
Columns = Sequence[tuple[str, str]]  # (name, Redshift type)


def staged_files(pipeline: Pipeline) -> dict[str, list[tuple[str, str]]]:
    """model → (column, Spark type) of the Parquet files that silver_to_gold writes, in order (medallion_glue.models)."""
    return {model.name: _file(model) for model in pipeline.models if model.staged}


def _file(model: Model) -> list[tuple[str, str]]:
    looked_up = {look.column for look in model.lookups}
    columns = [c for c in model.checked if c.name not in looked_up]
    return [("_op", "string"), *((c.name, c.spark) for c in columns)]


def staging_tables(pipeline: Pipeline) -> dict[str, list[tuple[str, str]]]:
    """model → (column, Redshift type) of `staging.<model>`."""
    from medallion_cli.warehouse import staging_table

    tables = {}
    for model in pipeline.models:
        if model.staged:
            sql = staging_table(model, pipeline)
            ddl = next(iter(parse_tables(sql, "redshift", f"staging.{model.name}").values()))
            tables[model.name] = [(name, kind) for name, kind, _ in ddl.columns]
    return tables


def copy_findings(
    files: Mapping[str, Columns], tables: Mapping[str, Columns], assets: Assets
) -> Iterator[Finding]:
    """Findings between files and tables, and in the COPY itself."""
    for model, file in files.items():
        yield from _order(model, list(file), list(tables.get(model, ())))
    yield from _statement(assets)


def _order(model: str, file: list[tuple[str, str]], table: list[tuple[str, str]]) -> Iterator[Finding]:
    where = f"sql/redshift staging.{model}"
    names, columns = [name for name, _ in file], [name for name, _ in table]
    if len(names) != len(columns):
        what = f"has {len(columns)} columns, its Parquet files {len(names)}"
        differing = sorted(set(names) ^ set(columns))
        yield Finding(where, what, f"one of them lacks {', '.join(differing) or 'a column'}", "MED-CPY-001")
        return
    for number, (given, wanted) in enumerate(zip(columns, names, strict=True), 1):
        if given != wanted:
            what = f"column {number} is {given}, and {wanted} in the Parquet files: COPY goes by position"
            yield Finding(f"{where}.{given}", what, f"{wanted} there", "MED-CPY-002")
            return
    for (name, kind), (_, spark) in zip(table, file, strict=True):
        if _spark(kind) != spark:
            what = (
                f"is {kind}, which takes {_spark(kind) or 'no type of Parquet'}, and the files hold {spark}"
            )
            yield Finding(f"{where}.{name}", what, f"a type that COPY fills from {spark}", "MED-CPY-003")


def _spark(kind: str) -> str | None:
    try:
        return redshift_to_spark(kind)
    except UsageError:
        return None


def _statement(assets: Assets) -> Iterator[Finding]:
    """The COPY that silver_to_gold writes for the state machine."""
    try:
        source = assets.read(STAGING)
    except UsageError:
        return
    copy = re.search(r"f\"(COPY [^\"]*)\"", source)
    if copy is None or not re.search(r"FORMAT (AS )?PARQUET", copy[1]) or "MANIFEST" not in copy[1]:
        yield Finding(
            STAGING,
            "has no COPY … FORMAT AS PARQUET MANIFEST",
            "load by manifest, from Parquet",
            "MED-CPY-004",
        )
        return
    options = re.sub(r"'[^']*'|\{[^}]*\}", "", copy[1]).upper()
    for word in REFUSED:
        if re.search(rf"\b{word}\b", options):
            yield Finding(STAGING, f"COPY from Parquet fails with {word}", "take it out", "MED-CPY-004")
    if "content_length" not in source:
        what = "manifests of columnar files need each file's meta.content_length"
        yield Finding(STAGING, what, '"meta": {"content_length": size}', "MED-CPY-005")
    size = re.search(r"^STATEMENTS = (\d+)", source, re.MULTILINE)
    if size is None or int(size[1]) > BATCH:
        yield Finding(
            STAGING,
            "STATEMENTS is more than the Data API takes at once",
            f"STATEMENTS = {BATCH}",
            "MED-CPY-006",
        )
