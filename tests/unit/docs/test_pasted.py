"""What documents show of the tool is what the tool shows; their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medallion_cli.documents.pasted import BLOCK, pasted, run_diagram

ROOT = Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_BLOCKS = [path for path in DOCUMENTS if BLOCK.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", WITH_BLOCKS, ids=lambda path: path.name)
def test_its_blocks_are_as_they_are_now(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = path.read_text(encoding="utf-8")
    assert text == pasted(text), f"python -m medallion_cli.documents.pasted {path.relative_to(ROOT)}"


def test_there_are_such_documents() -> None:
    assert "concepts.md" in {path.name for path in WITH_BLOCKS}


def test_a_run_is_drawn_from_its_first_step_to_its_last() -> None:
    lines = run_diagram()
    for arrow in (
        "bronze_to_silver --> silver_to_gold",
        "load_staging --> merge",
        "read_gold --> write_summary",
    ):
        assert arrow in lines


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_its_links_lead_to_files(path: Path) -> None:
    named = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [name for name in named if not (path.parent / name).exists()] == []
