"""Every block of command lines says who runs it, and somebody does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from marked import BLOCK, ROOT, TYPED, Block, blocks, documents, typed

BLOCKS = [block for path in documents() for block in blocks(path) if block.commands]
BY_TEST = re.compile(r"run by (tests/[\w/]+\.py)::(test_\w+)")


def fault(block: Block) -> str | None:
    """What is wrong with who runs a block."""
    if block.is_typed:
        return None if block.document in TYPED else "its document is not typed"
    if found := BY_TEST.fullmatch(block.mark):
        return None if _has(ROOT / found[1], found[2]) else f"there is no {found[1]}::{found[2]}"
    if block.mark == "aws":
        strange = [line for line in block.commands if not re.match(r"medallion --env (dev|prod) ", line)]
        return f"needs no account: {strange}" if strange else None
    if block.mark == "by hand":
        unknown = [line for line in block.commands if not _is_target(line)]
        return f"no targets of the Makefile: {unknown}" if unknown else None
    return f"nobody runs it ({block.mark or 'no mark'})"


def _has(path: Path, test: str) -> bool:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return bool(re.search(rf"^def {test}\(", text, re.MULTILINE))


def _is_target(line: str) -> bool:
    words = line.split()
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return words[0] == "make" and bool(re.search(rf"^{re.escape(words[1])}:", makefile, re.MULTILINE))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.document}: {block.commands[0]}")
def test_somebody_runs_it(block: Block) -> None:
    assert fault(block) is None


def test_there_are_such_blocks() -> None:
    assert {block.document for block in BLOCKS} >= {"README.md", "docs/aws.md", *TYPED}
    assert all(typed(document) for document in TYPED)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```\nmedallion up\n```\n", "nobody runs it"),
        ("<!-- run -->\n```\nmedallion up\n```\n", "not typed"),
        ("<!-- aws -->\n```\nmedallion up\n```\n", "needs no account"),
        ("<!-- by hand -->\n```\nmake coffee\n```\n", "coffee"),
        ("<!-- by hand -->\n```\nmedallion up\n```\n", "medallion up"),
        (
            "<!-- run by tests/e2e/test_retail.py::test_no_such -->\n```sh\n$ medallion up\n```\n",
            "no tests/e2e",
        ),
    ],
)
def test_what_nobody_runs_is_found(text: str, said: str) -> None:
    ((mark, lines),) = BLOCK.findall(text)
    assert said in str(fault(Block("docs/some.md", mark, lines)))


def test_readme_s_first_lines_are_those_of_the_quickstart() -> None:
    (first,) = (b for b in BLOCKS if b.document == "README.md" and "test_documents" in b.mark)
    assert set(first.text.splitlines()) <= set("".join(typed("docs/quickstart.md")).splitlines())


def test_make_demo_is_the_command() -> None:
    """Which tests/e2e/test_rehearsal.py runs."""
    assert "\ndemo: $(INSTALLED)\n\t$(BIN)/medallion demo\n" in (ROOT / "Makefile").read_text(
        encoding="utf-8"
    )
