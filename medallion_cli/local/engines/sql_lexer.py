"""Cuts SQL into tokens, as PostgreSQL and Redshift agree on them; comments become white space."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<line>--[^\n]*)
      | (?P<block>/\*)
      | (?P<string>[eE]?'(?:[^'\\]|\\.|'')*')
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<dollar>\$(?:[A-Za-z_]\w*)?\$)
      | (?P<param>\$\d+)
      | (?P<name>:[A-Za-z_]\w*)
      | (?P<number>\d+(?:\.(?!\.)\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
      | (?P<word>[A-Za-z_\x80-\uffff\#][\w$\x80-\uffff]*)
      | (?P<op>::|:=|\.\.|<=|>=|<>|!=|\|\||=>|!?~~?\*?|.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One significant token; `before` is the white space in front of it, `kind` a group of the lexer."""

    kind: str
    text: str
    before: str = ""

    @property
    def key(self) -> str:
        """Upper case for words, the text itself otherwise: what keywords and operators compare with."""
        return self.text.upper() if self.kind == "word" else self.text

    @property
    def name(self) -> str:
        """The identifier's name as the catalog holds it (folded unless quoted)."""
        return self.text[1:-1].replace('""', '"') if self.kind == "quoted" else self.text.lower()


def tokenize(sql: str) -> list[Token]:
    """The significant tokens of SQL; a `$$` body is one token. ValueError for an unterminated literal."""
    tokens: list[Token] = []
    before, position = "", 0
    while position < len(sql):
        found = _TOKEN.match(sql, position)
        assert found is not None, "the last alternative takes anything"
        kind, end = found.lastgroup or "op", found.end()
        if kind in ("space", "line", "block"):
            end = _block_end(sql, position) if kind == "block" else end
            before += found.group() if kind == "space" else " "
        else:
            end = _dollar_end(sql, found) if kind == "dollar" else end
            tokens.append(Token(kind, _checked(sql[position:end]), before))
            before = ""
        position = end
    return tokens


def _checked(text: str) -> str:
    if text in ("'", '"'):
        raise ValueError(f"unterminated quoted {'string' if text == chr(39) else 'identifier'}")
    return text


def _block_end(sql: str, start: int) -> int:
    """Where a comment ends; they nest, as in PostgreSQL."""
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(sql, start):
        depth += 1 if found.group() == "/*" else -1
        if depth == 0:
            return found.end()
    raise ValueError("unterminated /* comment")


def _dollar_end(sql: str, opening: re.Match[str]) -> int:
    closing = sql.find(opening.group(), opening.end())
    if closing < 0:
        raise ValueError("unterminated dollar-quoted string")
    return closing + len(opening.group())


def render(tokens: Iterable[Token]) -> str:
    """The SQL text of tokens, with their white space."""
    return "".join(token.before + token.text for token in tokens).strip()


def words(text: str) -> list[Token]:
    """Tokens of a replacement text, set off by a blank from what stands before."""
    tokens = tokenize(text)
    return [replace(tokens[0], before=" "), *tokens[1:]] if tokens else []


def statements(tokens: list[Token]) -> list[list[Token]]:
    """Cuts at top-level semicolons; empty statements are left out."""
    found: list[list[Token]] = [[]]
    for token in tokens:
        if token.text == ";" and token.kind == "op":
            found.append([])
        else:
            found[-1].append(token)
    return [statement for statement in found if statement]


def split(sql: str) -> list[str]:
    """The single statements of a script, without semicolons; `$$` bodies stay whole."""
    return [render(statement) for statement in statements(tokenize(sql))]


def closing(tokens: list[Token], opening: int) -> int:
    """Index of the parenthesis that closes the one at `opening`. ValueError when it is missing."""
    depth = 0
    for index in range(opening, len(tokens)):
        if tokens[index].kind == "op" and tokens[index].text in "()":
            depth += 1 if tokens[index].text == "(" else -1
            if depth == 0:
                return index
    raise ValueError("unbalanced parenthesis")


def arguments(tokens: list[Token]) -> list[list[Token]]:
    """Cuts at the commas outside parentheses; no tokens, no arguments."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "op" and token.text in "()":
            depth += 1 if token.text == "(" else -1
        if token.text == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts if tokens else []


def bind_names(sql: str, known: Iterable[str]) -> tuple[str, list[str]]:
    """Turns `:name` into `$1 …`; returns the SQL and the names in order. KeyError for an unknown name."""
    order: list[str] = []
    tokens = tokenize(sql)
    names = set(known)
    for index, token in enumerate(tokens):
        if token.kind == "name":
            name = token.text[1:]
            if name not in names:
                raise KeyError(name)
            order.extend([name] if name not in order else [])
            tokens[index] = Token("param", f"${order.index(name) + 1}", token.before)
    return render(tokens), order
