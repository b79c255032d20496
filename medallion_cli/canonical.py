"""One canonical text for every value, in every engine's own SQL, so that checksums can be compared across engines.

A row's text joins its columns with `|`; a column is `<characters>:<text>`, or `~` for NULL, so no two different rows share a
text. The row's hash is md5; a table's checksum sums the hash's four 32-bit words over all rows (order does not matter,
duplicates do): `<rows>:<sum1>:<sum2>:<sum3>:<sum4>`.

Pure standard library: this module also travels in the source Lambda's zip.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

ENGINES = ("mysql", "spark", "redshift")


def canonical(mysql_type: str, column: str, clean: Sequence[str] = ()) -> dict[str, str]:
    """The canonical text expression of one source column per engine; `mysql_type` as in the DDL, lower case."""
    quoted = {"mysql": f"`{column}`", "spark": f"`{column}`", "redshift": f'"{column}"'}
    texts = {engine: _text(engine, mysql_type, quoted[engine]) for engine in ENGINES}
    texts["mysql"] = _cleaned(texts["mysql"], clean)
    return texts


def canonical_model(spark_type: str, column: str) -> dict[str, str]:
    """The canonical text expression of one gold column, per engine that can hold it; `spark_type` as in the spec."""
    stands_for = {
        "string": "varchar",
        "timestamp": "datetime(6)",
        "boolean": "bit(1)",
        "binary": "blob",
        "double": "double",
    }.get(spark_type, spark_type)
    quoted = {"spark": f"`{column}`", "redshift": f'"{column}"'}
    return {engine: _text(engine, stands_for, name) for engine, name in quoted.items()}


def row_text(engine: str, expressions: Sequence[str]) -> str:
    """The row's canonical text from its columns' canonical expressions."""
    match engine:
        case "mysql":
            parts = [f"COALESCE(CONCAT(CHAR_LENGTH({e}), ':', {e}), '~')" for e in expressions]
            return f"CONCAT_WS('|', {', '.join(parts)})"
        case "spark":
            parts = [f"coalesce(concat(char_length({e}), ':', {e}), '~')" for e in expressions]
            return f"concat_ws('|', {', '.join(parts)})"
        case "redshift":
            parts = [f"COALESCE(CAST(LEN({e}) AS VARCHAR) || ':' || {e}, '~')" for e in expressions]
            return " || '|' || ".join(parts)
        case _:
            raise ValueError(f"no engine {engine!r}")


def checksum_select(engine: str, relation: str, expressions: Sequence[str], where: str | None = None) -> str:
    """A SELECT of one row (`row_count` BIGINT, `checksum` text) over `relation`, run inside the engine."""
    text = row_text(engine, expressions)
    condition = f" WHERE {where}" if where else ""
    lanes = [_lane(engine, start) for start in (1, 9, 17, 25)]
    match engine:
        case "mysql":
            joined = ", ':', ".join(f"COALESCE(SUM({lane}), 0)" for lane in lanes)
            checksum = f"CONCAT(COUNT(*), ':', {joined})"
        case "spark":
            joined = ", ':', ".join(f"coalesce(sum({lane}), 0)" for lane in lanes)
            checksum = f"concat(count(*), ':', {joined})"
        case _:
            joined = " || ':' || ".join(f"CAST(COALESCE(SUM({lane}), 0) AS VARCHAR)" for lane in lanes)
            checksum = f"CAST(COUNT(*) AS VARCHAR) || ':' || {joined}"
    return (
        f"SELECT COUNT(*) AS row_count, {checksum} AS checksum "
        f"FROM (SELECT MD5({text}) AS h FROM {relation}{condition}) hashed"
    )


def _lane(engine: str, start: int) -> str:
    match engine:
        case "mysql":
            return f"CAST(CONV(SUBSTRING(h, {start}, 8), 16, 10) AS UNSIGNED)"
        case "spark":
            return f"cast(conv(substring(h, {start}, 8), 16, 10) as decimal(20,0))"
        case _:
            return f"CAST(STRTOL(SUBSTRING(h, {start}, 8), 16) AS DECIMAL(38,0))"


def _cleaned(text: str, clean: Sequence[str]) -> str:
    for rule in clean:
        match rule:
            case "trim":
                text = f"TRIM({text})"
            case "lower":
                text = f"LOWER({text})"
            case "upper":
                text = f"UPPER({text})"
            case "null_if_empty":
                text = f"(CASE WHEN CHAR_LENGTH({text}) = 0 THEN NULL ELSE {text} END)"
            case _:
                raise ValueError(f"no cleaning rule {rule!r}")
    return text


_NUMBER = re.compile(r"(tinyint|smallint|mediumint|int|integer|bigint|year)\b")


def _text(engine: str, mysql_type: str, column: str) -> str:
    base = re.split(r"[ (]", mysql_type, maxsplit=1)[0]
    if _NUMBER.match(base):
        return _cast(engine, column)
    match base:
        case "decimal" | "numeric":
            return _cast(engine, f"CAST({column} AS {mysql_type.replace(' unsigned', '').upper()})")
        case "float" | "double" | "real":
            return _floating(engine, column)
        case "bit" | "bool" | "boolean":
            return _boolean(engine, column)
        case "date":
            return _formatted(engine, column, "%Y-%m-%d", "yyyy-MM-dd", "YYYY-MM-DD")
        case "datetime" | "timestamp":
            return _formatted(
                engine,
                column,
                "%Y-%m-%d %H:%i:%s.%f",
                "yyyy-MM-dd HH:mm:ss.SSSSSS",
                "YYYY-MM-DD HH24:MI:SS.US",
            )
        case "char":
            return f"RTRIM({_utf8(engine, column)})"
        case "binary" | "varbinary" | "blob" | "tinyblob" | "mediumblob" | "longblob":
            return f"UPPER(TO_HEX({column}))" if engine == "redshift" else f"HEX({column})"
        case _:
            return _utf8(engine, column)


def _floating(engine: str, column: str) -> str:
    """A binary number in whole units of a power of ten: ten digits or more up to 10^30, its sign beyond, none below 10^-10.

    Multiplied and rounded as a binary number, which every engine does to the bit, and told as a whole number of at most fifteen
    digits, which every engine tells exactly: as a decimal Redshift and PostgreSQL round it to fifteen digits first.
    """
    double = "DOUBLE PRECISION" if engine == "redshift" else "DOUBLE"
    value = f"CAST({column} AS {double})"
    bands = []
    for limit in range(5, 35, 5):
        power = f"CAST('1e{abs(15 - limit)}' AS {double})"
        scaled = f"{value} {'*' if limit <= 15 else '/'} {power}"
        whole = _cast(engine, f"CAST(FLOOR({scaled} + 0.5) AS DECIMAL(38,0))")
        told = f"CONCAT({whole}, 'e{limit - 15}')"
        bands.append(f"WHEN ABS({value}) < CAST('1e{limit}' AS {double}) THEN {told}")
    beyond = f"WHEN {value} < 0 THEN '-beyond' ELSE 'beyond'"
    return f"(CASE WHEN {column} IS NULL THEN NULL {' '.join(bands)} {beyond} END)"


def _cast(engine: str, value: str) -> str:
    return f"CAST({value} AS {({'mysql': 'CHAR', 'spark': 'STRING', 'redshift': 'VARCHAR'})[engine]})"


def _utf8(engine: str, column: str) -> str:
    return f"CONVERT({column} USING utf8mb4)" if engine == "mysql" else column


def _boolean(engine: str, column: str) -> str:
    match engine:
        case "mysql":
            return f"CAST({column} + 0 AS CHAR)"
        case "spark":
            return f"CAST(CAST({column} AS INT) AS STRING)"
        case _:
            return f"CASE WHEN {column} IS NULL THEN NULL WHEN {column} THEN '1' ELSE '0' END"


def _formatted(engine: str, column: str, mysql: str, spark: str, redshift: str) -> str:
    match engine:
        case "mysql":
            return f"DATE_FORMAT({column}, '{mysql}')"
        case "spark":
            return f"date_format({column}, '{spark}')"
        case _:
            return f"TO_CHAR({column}, '{redshift}')"
