"""Fenced blocks of documents that hold command lines, and who runs each: the comment before it says so.

| comment                                 | who runs the block                                                                |
|-----------------------------------------|-----------------------------------------------------------------------------------|
| `<!-- run -->`, `<!-- run: project -->` | tests/e2e/test_documents.py types it, as it stands, in one environment            |
| `<!-- run by tests/…::test_… -->`       | that test                                                                         |
| `<!-- aws -->`                          | nobody: it takes an account. Its commands and options are looked up, as all are    |
| `<!-- by hand -->`                      | who develops: targets of the Makefile, which are looked up                        |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
GENERATED = ("commands.md", "screens.md")  # written from what is run
# Documents whose blocks `run` marks, in the order in which they are typed.
TYPED = (
    "docs/quickstart.md",
    "docs/guides/add-a-table.md",
    "docs/guides/add-a-model.md",
    "docs/guides/recover.md",
    "docs/correctness.md",
)
BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^\s*(?:\$ )?((?:medallion|make) .*)")


@dataclass(frozen=True)
class Block:
    """A fenced block; `mark` is the comment before it, "" without one."""

    document: str
    mark: str
    text: str

    @property
    def is_typed(self) -> bool:
        """Whether tests/e2e/test_documents.py types it."""
        return self.mark in ("run", "run: project")

    @property
    def commands(self) -> list[str]:
        """Its lines that call the tool or make; continued lines are joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [found[1] for line in lines if (found := COMMAND.match(line))]


def documents() -> list[Path]:
    """README and docs, but for what is generated."""
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path for path in paths if path.name not in GENERATED]


def blocks(path: Path) -> Iterator[Block]:
    """All fenced blocks of a document."""
    name = str(path.relative_to(ROOT))
    for mark, text in BLOCK.findall(path.read_text(encoding="utf-8")):
        yield Block(name, mark, text)


def typed(document: str) -> list[str]:
    """The blocks of a document that are typed."""
    return [block.text for block in blocks(ROOT / document) if block.is_typed]
