"""Messages of PostgreSQL's protocol: framing, rows, errors, and what Redshift says in other words."""

from __future__ import annotations

import socket
import struct

from medallion_cli.local.engines.dialect import shown_name
from medallion_cli.local.engines.redshift_errors import redshift_words


class Closed(Exception):
    """One side hung up."""


def exactly(source: socket.socket, size: int) -> bytes:
    """`size` bytes; Closed when the other side hangs up before."""
    data = bytearray()
    while len(data) < size:
        chunk = source.recv(size - len(data))
        if not chunk:
            raise Closed
        data += chunk
    return bytes(data)


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A message: its kind, its length and its body."""
    return kind + struct.pack("!i", len(body) + 4) + body


class Stream:
    """Whole messages out of a socket's bytes."""

    def __init__(self, source: socket.socket, largest: int) -> None:
        self.source = source
        self._data = bytearray()
        self._largest = largest

    def fill(self) -> None:
        """Waits for more bytes; Closed when there will be none."""
        chunk = self.source.recv(1 << 16)
        if not chunk:
            raise Closed
        self._data += chunk

    def take(self) -> list[tuple[bytes, bytes]]:
        """All complete messages that have arrived: (kind, body)."""
        found, start = [], 0
        while len(self._data) - start >= 5:
            length = int.from_bytes(self._data[start + 1 : start + 5], "big")
            if not 4 <= length <= self._largest:
                raise Closed
            if len(self._data) - start < length + 1:
                break
            kind = bytes(self._data[start : start + 1])
            found.append((kind, bytes(self._data[start + 5 : start + 1 + length])))
            start += length + 1
        del self._data[:start]
        return found


def row_values(body: bytes) -> tuple[str, ...]:
    """A DataRow's values as text; the queries asked here have no NULLs."""
    count, position, values = int.from_bytes(body[:2], "big"), 2, []
    for _ in range(count):
        length = int.from_bytes(body[position : position + 4], "big")
        values.append(body[position + 4 : position + 4 + length].decode())
        position += 4 + length
    return tuple(values)


def error_fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse by their letters."""
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}


def error_body(fields: dict[str, str]) -> bytes:
    """The body of an ErrorResponse."""
    return b"".join(key.encode() + value.encode() + b"\0" for key, value in fields.items()) + b"\0"


def one_mechanism(body: bytes) -> bytes:
    """Redshift's driver trips over the list's own terminator in a request for SASL (10)."""
    return body[:-1] if body[:4] == struct.pack("!i", 10) and body.endswith(b"\0\0") else body


def translated_error(body: bytes) -> bytes:
    """An ErrorResponse in Redshift's words."""
    fields = error_fields(body)
    code, message, detail = redshift_words(
        fields.get("C", ""), fields.get("M", ""), fields.get("D", ""), fields.get("n", "")
    )
    fields |= {"C": code, "M": message} | ({"D": detail} if detail else {})
    return error_body(fields)


def named_columns(body: bytes) -> bytes:
    """A RowDescription whose unnamed columns are called as on Redshift."""
    out, position = bytearray(body[:2]), 2
    for _ in range(int.from_bytes(body[:2], "big")):
        end = body.index(b"\0", position)
        out += shown_name(body[position:end].decode()).encode() + body[end : end + 19]
        position = end + 19
    return bytes(out)


REWORDED = {b"E": translated_error, b"T": named_columns}
