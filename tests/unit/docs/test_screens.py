"""docs/screens.md was written by what writes it now: its head, and a section of every screen, in order."""

from __future__ import annotations

import re

from marked import ROOT
from screens import HEAD, SCREENS, page, title

PAGE = (ROOT / "docs/screens.md").read_text(encoding="utf-8")


def laid_out(text: str) -> list[tuple[str, str]]:
    """(section, command line) of each block."""
    found = []
    for section in text.split("\n## ")[1:]:
        lines = re.findall(r"^```\n\$ (.*)$", section, re.MULTILINE)
        found += [(section.partition("\n")[0], line) for line in dict.fromkeys(lines)]
    return found


def test_it_begins_as_it_is_written() -> None:
    assert PAGE.startswith(HEAD)


def test_every_screen_has_a_section() -> None:
    assert laid_out(PAGE) == [(title(line), line) for line in SCREENS]


def test_a_page_that_is_written_now_would_be_right() -> None:
    written = page(lambda line, width: f"$ {width // 100} columns of it")
    assert written.startswith(HEAD)
    assert laid_out(written) == [(title(line), line) for line in SCREENS]
    assert len({title(line) for line in SCREENS}) == len(SCREENS)
