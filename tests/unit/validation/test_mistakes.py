"""Each seeded mistake is told by `medallion validate`, with its file, its place and a remedy; none passes."""

from __future__ import annotations

import pytest
from drafts import Draft
from mistakes import MISTAKES, Mistake

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.check import check

pytestmark = pytest.mark.broad


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.name)
def test_a_mistake_is_told(draft: Draft, mistake: Mistake) -> None:
    mistake.change(draft)
    told: list[str] = []
    for finding in check(draft.project, draft.changed):
        told.append(str(finding))
        if named(finding, mistake):
            assert finding.remedy
            assert finding.code.startswith("MED-")
            assert "\n" not in str(finding)
            return
    pytest.fail(f"not among {len(told)} findings: " + " | ".join(told[:12]))


def named(finding: Finding, mistake: Mistake) -> bool:
    begun = finding.where.startswith(mistake.file)
    return begun and mistake.place in finding.where and mistake.what in finding.what


def test_the_table_is_long_and_its_names_differ() -> None:
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 150
