"""Every property that the project's templates use: a change of it replaces, or not, as AWS's own schema says."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import cfnlint
from template_properties import REGION, STACK_ID, changed, evaluated, leaves, used_properties

from medallion_cli.local.cloudformation.changes import preview
from medallion_cli.local.cloudformation.decisions import replaced_by
from medallion_cli.local.cloudformation.schemas import resource_schema
from medallion_cli.local.cloudformation.stack import Resource, Stack
from medallion_cli.local.cloudformation.template import Template


@cache
def schema(type_name: str) -> dict[str, Any]:
    """cfn-lint's file, read without our reader."""
    folder = Path(cfnlint.__file__).parent / "data" / "schemas"
    digest = json.loads((folder / "providers" / f"{REGION}.json").read_text("utf-8"))[type_name]
    found: dict[str, Any] = json.loads((folder / "resources" / f"{digest}.json").read_text("utf-8"))
    return found


def expected(type_name: str, path: tuple[str, ...]) -> str:
    """Replacement of a change at a path, from the schema's two lists."""
    pointer = "/properties/" + "/".join(path)
    lists = (("True", "createOnlyProperties"), ("Conditional", "conditionalCreateOnlyProperties"))
    for answer, member in lists:
        for fixed in schema(type_name).get(member, ()):
            if pointer == fixed or pointer.startswith(f"{fixed}/"):
                return answer
    return "False"


def one(type_name: str, properties: dict[str, Any]) -> Template:
    document = {"Resources": {"It": {"Type": type_name, "Properties": properties}}}
    return Template("", document, REGION)


def replacement(
    type_name: str, before: dict[str, Any], after: dict[str, Any]
) -> tuple[str, set[str], set[str]]:
    """What a change set says: Replacement, what changes, and each RequiresRecreation."""
    old = evaluated(one(type_name, before))
    resource = Resource("It", type_name, "it", old.properties("It"), physical_id="it")
    resource.deletion_policy = old.template.policy("It", "DeletionPolicy")
    stack = Stack(STACK_ID, "a", resources={"It": resource})
    (change,) = preview(evaluated(one(type_name, after), stack), {}).changes
    targets = [detail["Target"] for detail in change["ResourceChange"]["Details"]]
    names = {target.get("Name", target["Attribute"]) for target in targets}
    return change["ResourceChange"]["Replacement"], names, {t["RequiresRecreation"] for t in targets}


RECREATION = {"True": "Always", "Conditional": "Conditionally", "False": "Never"}


def test_a_changed_property_replaces_as_the_schema_says() -> None:
    wrong, looked_at = [], {"True": 0, "Conditional": 0, "False": 0}
    for type_name, properties in used_properties().items():
        for path in leaves(properties):
            wanted = expected(type_name, path)
            found = replacement(type_name, properties, changed(properties, path))
            looked_at[wanted] += 1
            if found != (wanted, {path[0]}, {RECREATION[wanted]}):
                wrong.append((type_name, path, wanted, found))
    assert wrong == []
    assert looked_at["True"] > 50
    assert looked_at["Conditional"] > 4
    assert looked_at["False"] > 150


def test_execution_does_what_the_change_set_said() -> None:
    """And every conditional property that the templates use has a rule: none is refused for want of one."""
    wrong = []
    for type_name, properties in used_properties().items():
        kind = resource_schema(type_name, REGION)
        assert kind is not None
        for path in leaves(properties):
            wanted = expected(type_name, path)
            found = bool(replaced_by(properties, changed(properties, path), kind))
            if wanted != "Conditional" and found != (wanted == "True"):
                wrong.append((type_name, path, wanted))
    assert wrong == []


def test_a_property_that_goes_replaces_as_the_schema_says() -> None:
    wrong = []
    for type_name, properties in used_properties().items():
        for name, value in properties.items():
            inner = {expected(type_name, path) for path in leaves({name: value})}
            wanted = next((answer for answer in ("True", "Conditional") if answer in inner), "False")
            rest = {key: item for key, item in properties.items() if key != name}
            found = replacement(type_name, properties, rest)[0]
            if found != wanted:
                wrong.append((type_name, name, wanted, found))
    assert wrong == []
