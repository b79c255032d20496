"""Statements whose shape differs: tables, VACUUM, ANALYZE, TRUNCATE, grants, users, session settings."""

from __future__ import annotations

from collections.abc import Callable

from medallion_cli.local.engines.dialect_refused import UnsupportedSQL
from medallion_cli.local.engines.sql_lexer import Token, arguments, closing, words

_NOTHING = "SET medallion.ignored TO 'on'"  # a statement that does nothing here
_MAX_VARCHAR, _DEFAULT_VARCHAR = 65535, 256
_SETTINGS = {
    "SEARCH_PATH",
    "TIMEZONE",
    "TIME",
    "STATEMENT_TIMEOUT",
    "DATESTYLE",
    "APPLICATION_NAME",
    "SESSION",
}


def rewrite(tokens: list[Token]) -> list[list[Token]]:
    """The statements that stand for one; expressions in them are not touched."""
    rule = _RULES.get(tokens[0].key)
    return rule(tokens) if rule else [tokens]


def _create(tokens: list[Token]) -> list[list[Token]]:
    keys = [token.key for token in tokens]
    if "TABLE" in keys[1:4] and not {"FUNCTION", "PROCEDURE", "VIEW"} & set(keys[1:4]):
        return [_create_table(tokens, keys.index("TABLE"))]
    if "VIEW" in keys[1:5]:
        return [_without(_table_attributes(tokens), ["WITH", "NO", "SCHEMA", "BINDING"])]
    if "PROCEDURE" in keys[1:5]:
        return [_without(tokens, ["NONATOMIC"])]
    if keys[1] == "USER":
        return [_replaced(tokens, ["PASSWORD", "DISABLE"], "PASSWORD NULL")]
    return [tokens]


def _create_table(tokens: list[Token], at: int) -> list[Token]:
    """Column items rewritten, table attributes dropped; keys go, their NOT NULL stays."""
    name_end = at + 1
    if [token.key for token in tokens[name_end : name_end + 3]] == ["IF", "NOT", "EXISTS"]:
        name_end += 3
    while name_end + 2 < len(tokens) and tokens[name_end + 1].text == ".":
        name_end += 2
    name_end += 1
    head, rest = tokens[:name_end], tokens[name_end:]
    head = [token for token in head if token.key != "LOCAL"]
    columns: list[Token] = []
    if rest and rest[0].text == "(":
        end = closing(rest, 0)
        columns, rest = _columns(arguments(rest[1:end])), rest[end + 1 :]
    query = next((index for index, token in enumerate(rest) if token.key == "AS"), len(rest))
    return head + columns + _attributes_dropped(rest[:query]) + rest[query:]


def _columns(items: list[list[Token]]) -> list[Token]:
    keyed = {name for item in items for name in _primary_key(item)}
    kept = [_column(item, keyed) for item in items if not _is_constraint(item)]
    out = [Token("op", "(", " ")]
    for index, item in enumerate(kept):
        out += ([Token("op", ",")] if index else []) + item
    return [*out, Token("op", ")")]


def _is_constraint(item: list[Token]) -> bool:
    return item[0].key in ("CONSTRAINT", "FOREIGN") or (
        item[0].key in ("PRIMARY", "UNIQUE") and len(item) > 1 and item[1].key in ("KEY", "(")
    )


def _primary_key(item: list[Token]) -> list[str]:
    keys = [token.key for token in item]
    if not _is_constraint(item) or "PRIMARY" not in keys:
        return []
    opening = keys.index("(")
    return [argument[0].name for argument in arguments(item[opening + 1 : closing(item, opening)])]


def _column(item: list[Token], keyed: set[str]) -> list[Token]:
    if item[0].key == "LIKE":
        return [*item, *words("INCLUDING CONSTRAINTS")]
    if len(item) == 1:  # CREATE TABLE t (a, b) AS …
        return item
    name, rest, length = item[0], *_column_type(item[1:])
    kept = [name, *rest[0], *_column_attributes(rest[1])]
    if name.name in keyed:
        kept += words("NOT NULL")
    if length is not None:
        kept += words(
            f'CONSTRAINT "{name.name}_varchar_{length}_bytes" CHECK (octet_length({name.text}) <= {length})'
        )
    return kept


def _column_type(tokens: list[Token]) -> tuple[tuple[list[Token], list[Token]], int | None]:
    """((the type's tokens, what follows), a VARCHAR's length in bytes); Redshift's defaults filled in."""
    kind, after = tokens[0].key, 1
    if [token.key for token in tokens[:2]] == ["CHARACTER", "VARYING"]:
        kind, after = "VARCHAR", 2
    given: list[Token] = []
    if after < len(tokens) and tokens[after].text == "(":
        end = closing(tokens, after)
        given, after = tokens[after + 1 : end], end + 1
    match kind:
        case "VARCHAR" | "NVARCHAR" | "TEXT" | "BPVARCHAR":
            length = _length(given)
            return (words(f"VARCHAR({length})"), tokens[after:]), length
        case "SUPER":
            return (words("jsonb"), tokens[after:]), None
        case "DECIMAL" | "NUMERIC" if not given:
            return (words("DECIMAL(18,0)"), tokens[after:]), None
        case "DATETIME":
            return (words("TIMESTAMP"), tokens[after:]), None
        case "SERIAL" | "BIGSERIAL" | "JSON" | "UUID" | "GEOMETRY" | "GEOGRAPHY" | "HLLSKETCH":
            raise UnsupportedSQL(f"a column of type {kind} is not supported")
        case _:
            return (tokens[:after], tokens[after:]), None


def _length(given: list[Token]) -> int:
    if not given:
        return _DEFAULT_VARCHAR
    length = _MAX_VARCHAR if given[0].key == "MAX" else int(given[0].text)
    if not 0 < length <= _MAX_VARCHAR:
        raise UnsupportedSQL(f"VARCHAR({length}): the longest on Redshift is {_MAX_VARCHAR} bytes")
    return length


def _column_attributes(tokens: list[Token]) -> list[Token]:
    """Drops ENCODE, DISTKEY, SORTKEY, UNIQUE, REFERENCES; PRIMARY KEY leaves NOT NULL; spells IDENTITY."""
    out: list[Token] = []
    index = 0
    while index < len(tokens):
        keys = [token.key for token in tokens[index : index + 5]]
        match keys:
            case ["ENCODE", _, *_]:
                index += 2
            case ["DISTKEY" | "SORTKEY" | "UNIQUE", *_]:
                index += 1
            case ["PRIMARY", "KEY", *_]:
                out, index = out + words("NOT NULL"), index + 2
            case ["REFERENCES", *_]:
                index = _reference_end(tokens, index + 1)
            case ["COLLATE", "CASE_SENSITIVE" | "CS", *_]:
                index += 2
            case ["IDENTITY", "(", *_]:
                end = closing(tokens, index + 1)
                out, index = out + _identity("ALWAYS", tokens[index + 2 : end]), end + 1
            case ["GENERATED", "BY", "DEFAULT", "AS", "IDENTITY"]:
                end = closing(tokens, index + 5)
                out, index = out + _identity("BY DEFAULT", tokens[index + 6 : end]), end + 1
            case _:
                out, index = [*out, tokens[index]], index + 1
    return out


def _reference_end(tokens: list[Token], index: int) -> int:
    while index + 1 < len(tokens) and tokens[index + 1].text == ".":
        index += 2
    index += 1
    return closing(tokens, index) + 1 if index < len(tokens) and tokens[index].text == "(" else index


def _identity(kind: str, given: list[Token]) -> list[Token]:
    seed, step = ("".join(token.text for token in argument) for argument in arguments(given))
    return words(f"GENERATED {kind} AS IDENTITY (START WITH {seed} INCREMENT BY {step})")


def _attributes_dropped(tokens: list[Token]) -> list[Token]:
    """Without BACKUP, DISTSTYLE, DISTKEY (…), SORTKEY (…), ENCODE AUTO, AUTO REFRESH."""
    out: list[Token] = []
    index = 0
    while index < len(tokens):
        keys = [token.key for token in tokens[index : index + 3]]
        match keys:
            case ["BACKUP" | "DISTSTYLE" | "ENCODE", _, *_]:
                index += 2
            case ["AUTO", "REFRESH", _]:
                index += 3
            case ["COMPOUND" | "INTERLEAVED", "SORTKEY", *_]:
                index += 1
            case ["SORTKEY", "AUTO", *_]:
                index += 2
            case ["DISTKEY" | "SORTKEY", "(", *_]:
                index = closing(tokens, index + 1) + 1
            case _:
                out, index = [*out, tokens[index]], index + 1
    return out


def _table_attributes(tokens: list[Token]) -> list[Token]:
    query = next((index for index, token in enumerate(tokens) if token.key == "AS"), len(tokens))
    return _attributes_dropped(tokens[:query]) + tokens[query:]


def _alter(tokens: list[Token]) -> list[list[Token]]:
    keys = [token.key for token in tokens]
    if keys[1] != "TABLE":
        return [_replaced(tokens, ["PASSWORD", "DISABLE"], "PASSWORD NULL")]
    action = _action(keys)
    match keys[action : action + 3]:
        case ["ALTER", "DISTKEY" | "DISTSTYLE" | "SORTKEY" | "COMPOUND" | "ENCODE", *_]:
            return [words(_NOTHING)]
        case ["ADD", "PRIMARY" | "UNIQUE" | "FOREIGN" | "CONSTRAINT", *_] | ["DROP", "CONSTRAINT", *_]:
            return [words(_NOTHING)]
        case ["ALTER", "COLUMN", _] if "ENCODE" in keys:
            return [words(_NOTHING)]
        case ["ALTER", "COLUMN", _] if "TYPE" in keys:
            raise UnsupportedSQL("ALTER COLUMN … TYPE is not supported by the local warehouse")
        case ["ADD", *_]:
            start = action + (2 if keys[action + 1] == "COLUMN" else 1)
            return [tokens[:start] + _column(tokens[start:], set())]
        case _:
            return [tokens]


def _action(keys: list[str]) -> int:
    """Where the table's name ends: ALTER TABLE [IF EXISTS] a.b <here>."""
    index = 2
    while index + 2 < len(keys) and keys[index + 1] == ".":
        index += 2
    return index + 1


def _truncate(tokens: list[Token]) -> list[list[Token]]:
    """TRUNCATE commits on Redshift; in a procedure the COMMIT fails inside a transaction block, as there."""
    return [tokens, words("COMMIT")]


def _vacuum(tokens: list[Token]) -> list[list[Token]]:
    """VACUUM's modes, TO n PERCENT and BOOST have nothing to act on here."""
    modes = {"FULL", "SORT", "ONLY", "DELETE", "REINDEX", "RECLUSTER", "BOOST"}
    kept = [token for token in tokens[1:] if token.key not in modes]
    to = next((index for index, token in enumerate(kept) if token.key == "TO"), len(kept))
    return [[tokens[0], *kept[:to]]]


def _analyze(tokens: list[Token]) -> list[list[Token]]:
    return [_without(_without(tokens, ["PREDICATE", "COLUMNS"]), ["ALL", "COLUMNS"])]


def _grant(tokens: list[Token]) -> list[list[Token]]:
    """Roles are plain names: TO ROLE x, FROM ROLE x, GRANT ROLE x TO y."""
    kept = [tokens[0]]
    for token in tokens[1:]:
        if token.key == "ROLE" and kept[-1].key in ("TO", "FROM", "GRANT", "REVOKE", ","):
            continue
        kept.append(token)
    return [kept]


def _set(tokens: list[Token]) -> list[list[Token]]:
    """Settings that only Redshift has (query_group, wlm_…) are taken and do nothing.

    SET SESSION AUTHORIZATION is an administrator's there; here the administrator may take the role of a user it made.
    """
    keys = [token.key for token in tokens]
    if keys[-3:-1] == ["SESSION", "AUTHORIZATION"]:
        name = "NONE" if keys[-1] == "DEFAULT" else tokens[-1].text
        return [words(f"SET{' LOCAL' if keys[1] == 'LOCAL' else ''} ROLE {name}")]
    name = next((token.key for token in tokens[1:] if token.key not in ("LOCAL", "SESSION")), "")
    known = name in _SETTINGS or name in ("TRANSACTION", "CHARACTERISTICS", "ROLE", "AUTHORIZATION")
    return [tokens if known else words(_NOTHING)]


def _without(tokens: list[Token], phrase: list[str]) -> list[Token]:
    return _replaced(tokens, phrase, "")


def _replaced(tokens: list[Token], phrase: list[str], by: str) -> list[Token]:
    keys = [token.key for token in tokens]
    for index in range(len(keys) - len(phrase) + 1):
        if keys[index : index + len(phrase)] == phrase:
            return [*tokens[:index], *words(by), *tokens[index + len(phrase) :]]
    return tokens


_RULES: dict[str, Callable[[list[Token]], list[list[Token]]]] = {
    "CREATE": _create,
    "ALTER": _alter,
    "TRUNCATE": _truncate,
    "VACUUM": _vacuum,
    "ANALYZE": _analyze,
    "ANALYSE": _analyze,
    "GRANT": _grant,
    "REVOKE": _grant,
    "SET": _set,
}
