"""Values as the text that MySQL itself prints, and the tab-separated form that LOAD DATA reads."""

from __future__ import annotations

from typing import Any

from medallion_cli.synthetic.facts import BINARIES, Column
from medallion_cli.synthetic.history import SECOND, clock_text, day_text, instant_text

Text = str | bytes | None


def column_texts(column: Column, values: list[Any]) -> list[Text]:
    """One column's values as MySQL prints them; bytes stay bytes, None is NULL, text is taken as it is."""
    match column.base:
        case "decimal" | "numeric":
            pattern = f"%.{column.scale}f"
            return [v if v is None or isinstance(v, str) else pattern % v for v in values]
        case "datetime" | "timestamp":
            return _instants(values, column.scale)
        case "time":
            return [v if v is None or isinstance(v, str) else clock_text(v // SECOND) for v in values]
        case base if base in BINARIES:
            return [v.encode() if isinstance(v, str) else v for v in values]
        case _ if column.is_integer and None not in values:
            return list(map(str, values))
        case _:
            return [v if v is None or isinstance(v, str) else str(v) for v in values]


def _instants(values: list[Any], digits: int) -> list[Text]:
    if digits != 6 or None in values or (values and isinstance(values[0], str)):
        return [v if v is None or isinstance(v, str) else instant_text(v, digits) for v in values]
    day, second, width = 86400 * SECOND, SECOND, 86400
    return [f"{day_text(v // day)} {clock_text(v // second % width)}.{v % second:06d}" for v in values]


def parsed(column: Column, text: Text) -> Any:
    """The value of a text read from the database, as rules work with it: int, float, microseconds, or the
    text.
    """
    if text is None or isinstance(text, bytes):
        return text
    if column.is_integer:
        return int(text)
    if column.base in ("decimal", "numeric", "float", "double"):
        return float(text)
    return text


def tab_separated(columns: tuple[Column, ...], texts: tuple[list[Text], ...]) -> str:
    """Lines for LOAD DATA: \\N is NULL, backslash escapes, binary as hexadecimal (see `load_columns`)."""
    fields = [_escaped(column, values) for column, values in zip(columns, texts, strict=True)]
    return "\n".join(map("\t".join, zip(*fields, strict=True))) + "\n"


def _escaped(column: Column, values: list[Text]) -> list[str]:
    if column.base in BINARIES:
        return ["\\N" if v is None else (v if isinstance(v, bytes) else v.encode()).hex() for v in values]
    if _plain(column):
        return ["\\N" if v is None else v for v in values]  # type: ignore[misc]
    return ["\\N" if v is None else _escape(v) for v in values]  # type: ignore[arg-type]


def _plain(column: Column) -> bool:
    return column.is_integer or column.base in (
        "decimal",
        "numeric",
        "datetime",
        "timestamp",
        "date",
        "time",
        "year",
        "bit",
    )


def _escape(text: str) -> str:
    if "\\" in text or "\n" in text or "\t" in text:
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    return text


def load_columns(columns: tuple[Column, ...]) -> tuple[str, str]:
    """The column list of a LOAD DATA and its SET clause: binary columns come as hex, BIT as a number."""
    names, sets = [], []
    for column in columns:
        conversion = _conversion(column)
        names.append(f"@`{column.name}`" if conversion else f"`{column.name}`")
        if conversion:
            sets.append(f"`{column.name}` = {conversion.format(f'@`{column.name}`')}")
    return ", ".join(names), f" SET {', '.join(sets)}" if sets else ""


def _conversion(column: Column) -> str | None:
    if column.base in BINARIES:
        return "UNHEX({})"
    return "CAST({} AS UNSIGNED)" if column.base == "bit" else None
