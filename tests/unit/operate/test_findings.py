"""The catalogue of findings: its page is up to date, every code is explained, every remedy is a command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medallion_cli.cli import main
from medallion_cli.errors import UsageError
from medallion_cli.operations.deployment import preflight
from medallion_cli.operations.doctor.catalogue import CATALOGUE, ROOMS
from medallion_cli.operations.doctor.explain import explain, page

ROOT = Path(__file__).parents[3]
CODE = re.compile(r"MED-[A-Z]+-\d+")


def codes() -> set[str]:
    """Every code that stands in the product's source."""
    return {
        code
        for path in (ROOT / "medallion_cli").rglob("*.py")
        for code in CODE.findall(path.read_text("utf-8"))
    }


def test_the_page_is_made_of_the_catalogue() -> None:
    """When it is not: python -c 'from medallion_cli.operations.doctor.explain import page; print(page(), end="")'."""
    assert (ROOT / "docs/findings.md").read_text(encoding="utf-8") == page()


def test_every_code_in_the_source_is_explained() -> None:
    found = codes()
    assert len(found) > 150
    for code in found:
        assert explain(code).remedy


def test_codes_of_the_look_before_an_up_are_in_the_catalogue() -> None:
    for code, (title, _) in preflight.CHECKS.items():
        assert CATALOGUE[code].title == title


def test_each_rule_belongs_to_a_room_and_says_what_follows() -> None:
    for code, rule in CATALOGUE.items():
        assert code.split("-")[1] in ROOMS
        assert rule.consequence.endswith(".")
        assert rule.remedy


def test_a_code_of_validate_is_explained_by_its_room() -> None:
    assert "networks" in explain("MED-NET-001").title
    assert explain("med-net-001").code == "MED-NET-001"


def test_an_unknown_code_says_where_to_look() -> None:
    with pytest.raises(UsageError, match="no finding MED-XYZ-001") as refused:
        explain("MED-XYZ-001")
    assert "docs/findings.md" in str(refused.value.hint)


def test_explain_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["doctor", "explain", "MED-DMS-030"])
    assert stop.value.code == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "MED-DMS-030  replication is stopped"
    assert said[2] == "try  medallion replicate start && medallion run"
