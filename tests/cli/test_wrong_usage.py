"""Wrong input gives at most two lines on stderr (what and where; the next command) and exit code 2; never a traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from medallion_cli.cli import main

SAKILA = Path(__file__).parents[1] / "projects" / "sakila"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of a project that a test may break."""
    return Path(shutil.copytree(SAKILA, tmp_path / "shop"))


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Runs a command line that must be refused; what it said."""
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    said = capsys.readouterr()
    assert stop.value.code == 2, said.err
    assert said.out == ""
    lines = said.err.strip().splitlines()
    assert 1 <= len(lines) <= 2, said.err
    assert "Traceback" not in said.err
    return said.err


def test_unknown_environment_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "--project", str(SAKILA), "--env", "staging", "status")
    assert "no environment 'staging'" in said
    assert "dev, local, prod" in said


def test_unknown_layer(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "--project", str(SAKILA), "run", "--layer", "platinum")
    assert "no layer 'platinum'" in said
    assert "bronze, silver, gold" in said


def test_unknown_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no table 'films'" in refused(capsys, "--project", str(SAKILA), "run", "--table", "films")


def test_unknown_option_and_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such option" in refused(capsys, "run", "--sideways")
    assert "No such command" in refused(capsys, "fly")


def test_a_folder_that_is_no_project(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "is not a project" in refused(capsys, "--project", str(tmp_path), "validate")


def test_broken_yaml_gives_file_and_line(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    (project / "configs/pipeline.yaml").write_text("name: x\ntables: [\n", encoding="utf-8")
    assert "pipeline.yaml:3: not valid YAML" in refused(capsys, "--project", str(project), "validate")


def test_an_unknown_key_gives_line_and_dotted_key(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    path = project / "configs/pipeline.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("actor: {}", "actor: {colour: red}"), encoding="utf-8"
    )
    said = refused(capsys, "--project", str(project), "validate")
    assert "pipeline.yaml:10: tables.actor.colour: Extra inputs are not permitted" in said


def test_a_table_without_ddl_is_named(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    path = project / "configs/pipeline.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("actor: {}", "actors: {}"), encoding="utf-8")
    assert "no CREATE TABLE actors" in refused(capsys, "--project", str(project), "validate")


def test_nothing_to_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing to seed" in refused(capsys, "--project", str(SAKILA), "seed")


def test_global_options_are_taken_after_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no environment 'staging'" in refused(
        capsys, "status", "--env", "staging", "--project", str(SAKILA)
    )


def test_a_short_option_s_value_may_be_joined_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no environment 'staging'" in refused(capsys, "status", "-estaging", f"-p{SAKILA}", "-ojson")
    assert "table or json" in refused(capsys, "status", "-oxml")


def test_output_is_table_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert "table or json" in refused(capsys, "status", "--output", "xml")
