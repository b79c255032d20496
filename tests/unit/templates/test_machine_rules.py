"""The state machine: what linters miss is found, and the shipped one has none of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import yaml

from medallion_cli.assets import Assets
from medallion_cli.operations.machine_rules import calls, machine_findings

Document = dict[str, Any]


@pytest.fixture(scope="module")
def machine(assets: Assets) -> Document:
    found: Document = yaml.safe_load(assets.read("infra_templates/state_machine.yaml"))
    return deepcopy(found)


def test_the_shipped_machine_is_sound(machine: Document) -> None:
    assert machine_findings(machine) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s["Merge"].update(Next="Nowhere"), "Nowhere"),
        (lambda s: s["Is anything staged"].update(Choices=[]), "nothing leads to it"),
        (lambda s: s["Merge"].update(Resource="arn:aws:states:::aws-sdk:redshiftdata:runStatement"), "no operation"),
        (lambda s: s["Merge"].update(Resource="arn:aws:states:::aws-sdk:redshift-data:executeStatement"), "no integration"),
        (lambda s: s["Merge"]["Arguments"].pop("Sql"), "Sql is required"),
        (lambda s: s["Merge"]["Arguments"].update(sql="SELECT 1"), "no parameter sql"),
        (lambda s: s["Merge"]["Arguments"]["Parameters"][0].update(Type="x"), "no parameter Type"),
        (lambda s: s["Merge"].update(Output="{% 'it''s' %}"), "it''s"),
        (lambda s: s["Merge"]["Retry"][0].update(JitterStrategy="SOME"), "SOME"),
    ],
)  # fmt: skip
def test_a_fault_is_found(machine: Document, change: Callable[[Document], object], named: str) -> None:
    broken = deepcopy(machine)
    change(broken["States"])
    assert any(named in str(finding) for finding in machine_findings(broken))


def test_every_substitution_is_given_and_every_given_one_used(
    machine: Document, documents: dict[str, Document]
) -> None:
    given = documents["orchestration"]["Resources"]["Machine"]["Properties"]["DefinitionSubstitutions"]
    assert set(re.findall(r"\$\{(\w+)\}", yaml.safe_dump(machine))) == set(given)


def test_the_role_allows_what_the_machine_calls(machine: Document, documents: dict[str, Document]) -> None:
    role = documents["orchestration"]["Resources"]["MachineRole"]["Properties"]
    allowed = {
        action
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    prefixes = {"stepfunctions": "states"}
    needed = {f"{prefixes.get(service, service)}:{operation}" for _, service, operation, _ in calls(machine)}
    assert needed <= allowed
    extra = {"glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"}  # what .sync does
    extra |= {"secretsmanager:GetSecretValue", "kms:Decrypt", "kms:GenerateDataKey"}
    assert allowed == needed | extra


def test_every_task_ends_in_the_failure_branch(machine: Document) -> None:
    last = {"Write failure", "Tell", "Read silver of the failed run"}
    for name, state in machine["States"].items():
        if state["Type"] in ("Task", "Map") and name not in last:
            assert state["Catch"][0]["Next"] == "Read silver of the failed run", name
