"""Row images of the binlog to Python values, by a function generated for each table shape.

Formats: MySQL internals, "Row-based binary logging" and log_event.cc. Values come out ready for Arrow: dates
as days since 1970, timestamps as microseconds, decimals as unscaled integers, text as UTF-8 bytes, impossible
dates as None.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from medallion_cli.local.replication.columns import MAX_DECIMAL, bit_kind, decimal_kind
from medallion_cli.local.replication.faults import Unsupported

Decode = Callable[[bytes, int], tuple[tuple[Any, ...], int]]  # (event, offset) -> (values, next offset)

_DAY = 86_400_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)  # bytes that hold n decimal digits
_CODECS = {"ucs2": "utf-16-be", "utf16": "utf-16-be", "utf16le": "utf-16-le", "utf32": "utf-32-be"}
_TEXT_AS_IS = {"utf8mb4", "utf8mb3", "utf8", "ascii"}


@dataclass(frozen=True)
class Wire:
    """One column as the TABLE_MAP event tells it."""

    name: str
    type: int
    meta: bytes
    unsigned: bool = False
    charset: str = "binary"
    labels: tuple[str, ...] = ()  # of an ENUM or SET


@dataclass(frozen=True)
class _Code:
    """A column's kind, its statements (`$` is its value.

    They advance `p`), and the objects (`@name`) they use.
    """

    kind: str
    lines: tuple[str, ...]
    names: dict[str, Any]
    fixed: tuple[str, int] | None = None  # struct letter and width when nothing but an unpack is needed


class Days(dict[int, "int | None"]):
    """year<<9 | month<<5 | day to days since 1970; None for a date that does not exist."""

    def __missing__(self, packed: int) -> int | None:
        try:
            days: int | None = date(packed >> 9, packed >> 5 & 15, packed & 31).toordinal() - _EPOCH
        except ValueError:
            days = None
        self[packed] = days
        return days


class DayMicros(dict[int, "int | None"]):
    """The date part of a DATETIME ((year*13+month)<<5 | day) to microseconds since 1970."""

    def __missing__(self, packed: int) -> int | None:
        year, month = divmod(packed >> 5, 13)
        days = DAYS[year << 9 | month << 5 | packed & 31]
        self[packed] = None if days is None else days * _DAY
        return self[packed]


class Labels(dict[int, bytes]):
    """A SET's bit mask to its text."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.labels = labels

    def __missing__(self, mask: int) -> bytes:
        chosen = [label for bit, label in enumerate(self.labels) if mask >> bit & 1]
        self[mask] = ",".join(chosen).encode()
        return self[mask]


DAYS = Days()
DAY_MICROS = DayMicros()


def column_code(wire: Wire) -> _Code:
    """How to read one column; Unsupported for types that only old or compressed tables have."""
    if wire.type in _FIXED:
        letters, kinds, width = _FIXED[wire.type]
        letter, kind = letters[wire.unsigned], kinds[wire.unsigned]
        return _Code(kind, (), {}, (letter, width))
    if wire.type in _READERS:
        return _READERS[wire.type](wire)
    raise Unsupported(f"column {wire.name}: binlog type {wire.type} is not supported")


def compile_decoder(wires: tuple[Wire, ...]) -> tuple[Decode, tuple[str, ...]]:
    """The decoder of a full row image and the kinds of its columns.

    Two bodies: one for rows without NULLs, where neighbours of fixed width are unpacked at once, one for the
    rest.
    """
    codes = [column_code(wire) for wire in wires]
    size = (len(wires) + 7) // 8
    names: dict[str, Any] = {"I": int.from_bytes}
    for index, code in enumerate(codes):
        names.update({f"{name}_{index}": value for name, value in code.names.items()})
    lines = ["def decode(b, p):", f" n = I(b[p:p+{size}], 'little'); p += {size}", " if n == 0:"]
    lines += [f"  {line}" for line in _dense(codes, names)]
    lines += [" else:"] + [f"  {line}" for line in _sparse(codes, names)]
    values = ", ".join(f"c{index}" for index in range(len(codes)))
    lines.append(f" return ({values},), p")
    exec("\n".join(lines), names)
    return names["decode"], tuple(code.kind for code in codes)


def _dense(codes: list[_Code], names: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    index = 0
    while index < len(codes):
        run = index
        while run < len(codes) and codes[run].fixed is not None:
            run += 1
        if run > index:
            lines += _unpack(codes, index, run, names)
            index = run
        else:
            lines += _one(codes[index], index)
            index += 1
    return lines


def _unpack(codes: list[_Code], start: int, stop: int, names: dict[str, Any]) -> list[str]:
    reader = struct.Struct("<" + "".join(code.fixed[0] for code in codes[start:stop] if code.fixed))
    names[f"u{start}_{stop}"] = reader.unpack_from
    targets = ", ".join(f"c{index}" for index in range(start, stop))
    return [f"{targets}, = u{start}_{stop}(b, p); p += {reader.size}"]


def _sparse(codes: list[_Code], names: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for index, code in enumerate(codes):
        body = _unpack(codes, index, index + 1, names) if code.fixed else _one(code, index)
        lines += [f"if n & {1 << index}: c{index} = None", "else:"] + [f" {line}" for line in body]
    return lines


def _one(code: _Code, index: int) -> list[str]:
    """The column's statements: `$` becomes its variable, `@x` its own object x."""
    lines = [line.replace("$", f"c{index}") for line in code.lines]
    for name in code.names:
        lines = [line.replace(f"@{name}", f"{name}_{index}") for line in lines]
    return lines


# type: (signed and unsigned struct letter, signed and unsigned kind, bytes)
_FIXED: dict[int, tuple[str, tuple[str, str], int]] = {
    1: ("bB", ("int8", "uint8"), 1),
    2: ("hH", ("int16", "uint16"), 2),
    3: ("iI", ("int32", "uint32"), 4),
    4: ("ff", ("float32", "float32"), 4),
    5: ("dd", ("float64", "float64"), 8),
    8: ("qQ", ("int64", "uint64"), 8),
}


def _mediumint(wire: Wire) -> _Code:
    sign = "False" if wire.unsigned else "True"
    line = f"$ = I(b[p:p+3], 'little', signed={sign}); p += 3"
    return _Code("uint32" if wire.unsigned else "int32", (line,), {})


def _year(wire: Wire) -> _Code:
    return _Code("int16", ("$ = b[p]; p += 1", "if $: $ += 1900"), {})


def _date(wire: Wire) -> _Code:
    return _Code("date", ("$ = @days[I(b[p:p+3], 'little')]; p += 3",), {"days": DAYS})


def _fraction(wire: Wire, offset: int) -> tuple[str, int]:
    """The expression of the microseconds after `offset` bytes, and their width."""
    width = (wire.meta[0] + 1) // 2
    if not width:
        return "0", 0
    return f"I(b[p+{offset}:p+{offset + width}], 'big') * {100 ** (3 - width)}", width


def _datetime(wire: Wire) -> _Code:
    fraction, width = _fraction(wire, 5)
    lines = (
        "w = I(b[p:p+5], 'big') - 0x8000000000",
        "$ = @days[w >> 17]",
        "s = (w >> 12 & 31) * 3600 + (w >> 6 & 63) * 60 + (w & 63)",
        f"if $ is not None: $ += s * 1000000 + {fraction}",
        f"p += {5 + width}",
    )
    return _Code("timestamp", lines, {"days": DAY_MICROS})


def _timestamp(wire: Wire) -> _Code:
    fraction, width = _fraction(wire, 4)
    lines = (
        f"$ = I(b[p:p+4], 'big') * 1000000 + {fraction}; p += {4 + width}",
        "if not $: $ = None",  # TIMESTAMP '0000-00-00 00:00:00'
    )
    return _Code("timestamp", lines, {})


def _time(wire: Wire) -> _Code:
    digits, width = wire.meta[0], (wire.meta[0] + 1) // 2

    def text(packed: int) -> bytes:
        value = packed - (0x800000 << 8 * width)
        sign, value = ("-", -value) if value < 0 else ("", value)
        whole, fraction = value >> 8 * width, value & ((1 << 8 * width) - 1)
        clock = f"{sign}{whole >> 12 & 1023:02d}:{whole >> 6 & 63:02d}:{whole & 63:02d}"
        return (f"{clock}.{fraction:0{2 * width}d}"[: len(clock) + 1 + digits] if digits else clock).encode()

    return _Code("string", (f"$ = @text(I(b[p:p+{3 + width}], 'big')); p += {3 + width}",), {"text": text})


def _decimal(wire: Wire) -> _Code:
    """Groups of nine digits in four bytes, the first and last group shorter; the sign flips bits."""
    precision, scale = wire.meta
    whole, part = precision - scale, scale
    groups = (
        [whole % 9] * (whole % 9 > 0) + [9] * (whole // 9) + [9] * (part // 9) + [part % 9] * (part % 9 > 0)
    )
    widths = [_DIGIT_BYTES[group] for group in groups]
    size = sum(widths)
    terms, shift, power = [], 0, 0
    for digits, width in zip(reversed(groups), reversed(widths), strict=True):
        terms.append(f"(w >> {shift} & {(1 << 8 * width) - 1}) * {10**power}")
        shift, power = shift + 8 * width, power + digits
    top, ones = 0x80 << 8 * (size - 1), (1 << 8 * size) - 1
    lines = (
        f"w = I(b[p:p+{size}], 'big') ^ {top}; p += {size}",
        f"if w & {top}: w ^= {ones}; $ = -({' + '.join(terms)})",
        f"else: $ = {' + '.join(terms)}",
    )
    if precision > MAX_DECIMAL:
        return _Code("string", (*lines, "$ = @text($)"), {"text": _decimal_text(scale)})
    return _Code(decimal_kind(precision, scale), lines, {})


def _decimal_text(scale: int) -> Callable[[int], bytes]:
    def text(value: int) -> bytes:
        digits = str(abs(value)).rjust(scale + 1, "0")
        whole = f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
        return f"{'-' if value < 0 else ''}{whole}".encode()

    return text


def _sized(wire: Wire, width: int) -> _Code:
    """A length of `width` bytes, then that many bytes."""
    head = f"e = p + {width} + " + ("b[p]" if width == 1 else f"I(b[p:p+{width}], 'little')")
    lines = (head, f"$ = b[p+{width}:e]; p = e")
    if wire.charset == "binary" or wire.charset in _TEXT_AS_IS:
        return _Code("binary" if wire.charset == "binary" else "string", lines, {})
    return _Code("string", (*lines, "$ = @text($)"), {"text": transcoder(wire.charset)})


def transcoder(charset: str) -> Callable[[bytes], bytes]:
    """Bytes of a MySQL character set to UTF-8; latin1 is cp1252 with its five holes as control characters."""
    from pymysql.charset import charset_by_name

    codec = _CODECS.get(charset) or charset_by_name(charset).encoding

    def text(raw: bytes) -> bytes:
        try:
            return raw.decode(codec).encode()
        except UnicodeDecodeError:
            if charset != "latin1":
                raise
            return "".join(bytes([c]).decode(codec, "ignore") or chr(c) for c in raw).encode()

    return text


def _varchar(wire: Wire) -> _Code:
    return _sized(wire, 1 if int.from_bytes(wire.meta, "little") < 256 else 2)


def _blob(wire: Wire) -> _Code:
    return _sized(wire, wire.meta[0])


def _geometry(wire: Wire) -> _Code:
    return _sized(Wire(wire.name, wire.type, wire.meta), wire.meta[0])


def _bit(wire: Wire) -> _Code:
    bits = wire.meta[0] + 8 * wire.meta[1]
    width = (bits + 7) // 8
    kind = bit_kind(bits)
    value = "b[p] != 0" if kind == "bool" else f"I(b[p:p+{width}], 'big')"
    return _Code(kind, (f"$ = {value}; p += {width}",), {})


def _string(wire: Wire) -> _Code:
    """CHAR, BINARY, ENUM and SET share a type: which one is in the metadata (log_event.cc)."""
    real, length = real_string(wire.meta)
    if real == 0xF7:
        labels = (
            b"",
            *(label.encode() for label in wire.labels),
        )  # 0 is the "invalid value" of old SQL modes
        return _Code(
            "string", (f"$ = @labels[I(b[p:p+{length}], 'little')]; p += {length}",), {"labels": labels}
        )
    if real == 0xF8:
        line = f"$ = @labels[I(b[p:p+{length}], 'little')]; p += {length}"
        return _Code("string", (line,), {"labels": Labels(wire.labels)})
    code = _sized(wire, 1 if length < 256 else 2)
    if code.kind == "binary":  # BINARY(n) is stored without its trailing zeros
        return _Code("binary", (*code.lines, f"$ = $.ljust({length}, b'\\0')"), code.names)
    return code


def real_string(meta: bytes) -> tuple[int, int]:
    """(real type, length in bytes) behind a STRING column's metadata."""
    kind, length = meta
    if kind & 0x30 != 0x30:
        return kind | 0x30, length | (kind & 0x30 ^ 0x30) << 4
    return kind, length


_READERS: dict[int, Callable[[Wire], _Code]] = {
    9: _mediumint, 10: _date, 13: _year, 14: _date, 15: _varchar, 16: _bit, 17: _timestamp, 18: _datetime,
    19: _time,
    246: _decimal, 252: _blob, 253: _varchar, 254: _string, 255: _geometry,
}  # fmt: skip
