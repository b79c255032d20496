"""DMS's table mappings: the form its user guide asks for, one selection a table, and what orders and keys the changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import Document, at, listed, mapping, text, words

WHERE = "infra_templates/replication.yaml Resources.Task.Properties.TableMappings"
KEYS = {
    "selection": {
        "rule-type", "rule-id", "rule-name", "object-locator", "rule-action", "filters", "load-order",
    },
    "transformation": {
        "rule-type", "rule-id", "rule-name", "object-locator", "rule-action", "rule-target", "value", "old-value", "expression",
        "data-type", "before-image-def", "primary-key-def",
    },
    "table-settings": {"rule-type", "rule-id", "rule-name", "object-locator", "parallel-load", "lob-settings"},
}  # fmt: skip
ACTIONS = {
    "selection": words("include exclude explicit"),
    "transformation": words(
        """
        rename remove-column make-upper-case make-lower-case add-prefix remove-prefix replace-prefix add-suffix
        remove-suffix replace-suffix define-primary-key change-data-type add-column add-before-image-columns
        data-masking-digits-mask data-masking-digits-randomize data-masking-hash-mask
        """
    ),
}
TARGETS = ("schema", "table", "column")
SEQUENCE = 35  # characters of $AR_H_CHANGE_SEQ


def mapping_findings(document: Any, tables: list[tuple[str, str]]) -> Iterator[Finding]:
    """Findings in the mappings; `tables` are the (schema, name) that have to be captured."""
    rules = [rule for rule in listed(document, "rules") if isinstance(rule, dict)]
    if not rules:
        yield Finding(WHERE, "holds no rules", "one selection rule a table", "MED-DMS-010")
        return
    for key in ("rule-id", "rule-name"):
        values = [text(rule, key) for rule in rules]
        for value in sorted({v for v in values if values.count(v) > 1}):
            yield Finding(
                f"{WHERE} {key}", f"two rules have the {key} {value!r}", "give each its own", "MED-DMS-011"
            )
    for number, rule in enumerate(rules):
        yield from _rule(f"{WHERE} rules[{number}]", rule)
    yield from _selected(rules, tables)
    for schema in sorted({schema for schema, _ in tables}):
        yield from _columns(schema, [r for r in rules if text(r, "rule-type") == "transformation"])


def _rule(where: str, rule: Document) -> Iterator[Finding]:
    kind = text(rule, "rule-type")
    if kind not in KEYS:
        yield Finding(
            f"{where}.rule-type", f"{kind!r} does not exist", f"one of: {', '.join(KEYS)}", "MED-DMS-012"
        )
        return
    if not re.fullmatch(r"\d{1,10}", text(rule, "rule-id")):
        yield Finding(
            f"{where}.rule-id",
            f"{text(rule, 'rule-id')!r} is no number",
            "a number, as a text",
            "MED-DMS-012",
        )
    for key in rule.keys() - KEYS[kind]:
        yield Finding(
            f"{where}.{key}",
            f"a {kind} rule has no {key}",
            f"has {', '.join(sorted(KEYS[kind]))}",
            "MED-DMS-012",
        )
    action = text(rule, "rule-action")
    if kind in ACTIONS and action not in ACTIONS[kind]:
        shown = ", ".join(sorted(ACTIONS[kind]))
        yield Finding(
            f"{where}.rule-action",
            f"{action!r} is no action of a {kind} rule",
            f"one of: {shown}",
            "MED-DMS-012",
        )
    if kind == "transformation" and text(rule, "rule-target") not in TARGETS:
        what = f"{text(rule, 'rule-target')!r} does not exist"
        yield Finding(f"{where}.rule-target", what, f"one of: {', '.join(TARGETS)}", "MED-DMS-012")
    for key in ("schema-name", "table-name"):
        if not text(rule, "object-locator", key):
            yield Finding(
                f"{where}.object-locator.{key}", "is missing", "name the schema and the table", "MED-DMS-012"
            )
    if listed(rule, "filters"):
        yield Finding(
            f"{where}.filters",
            "rows that a filter keeps out are missing in silver",
            "take it out",
            "MED-DMS-013",
        )
    if action in ("remove-column", "rename", "change-data-type", "make-upper-case", "make-lower-case"):
        what = f"{action}: silver looks for the source's own names and types"
        yield Finding(f"{where}.rule-action", what, "take the rule out; shape columns in gold", "MED-DMS-013")


def _selected(rules: list[Document], tables: list[tuple[str, str]]) -> Iterator[Finding]:
    chosen = [rule for rule in rules if text(rule, "rule-type") == "selection"]
    for rule in chosen:
        schema, table = _located(rule)
        if text(rule, "rule-action") != "include":
            yield Finding(
                f"{WHERE} {schema}.{table}", "is not included", "rule-action: include", "MED-DMS-014"
            )
        if "%" in schema or "%" in table:
            what = f"{schema}.{table} is a pattern: MySQL's own tables would match"
            yield Finding(f"{WHERE} {schema}.{table}", what, "one rule a table", "MED-DMS-015")
        elif (schema, table) not in tables:
            what = f"{schema}.{table} is captured and not in the specification"
            yield Finding(
                f"{WHERE} {schema}.{table}", what, "add it to configs/pipeline.yaml tables", "MED-DMS-014"
            )
    located = [_located(rule) for rule in chosen if text(rule, "rule-action") == "include"]
    for schema, table in tables:
        if (schema, table) not in located:
            what = f"{schema}.{table} is not captured"
            yield Finding(WHERE, what, f"a selection rule for {schema}.{table}", "MED-DMS-014")


def _located(rule: Document) -> tuple[str, str]:
    return text(rule, "object-locator", "schema-name"), text(rule, "object-locator", "table-name")


def _columns(schema: str, rules: list[Document]) -> Iterator[Finding]:
    own = [
        rule for rule in rules if _located(rule) == (schema, "%") and text(rule, "rule-target") == "column"
    ]
    sequences = [rule for rule in own if text(rule, "value") == "dms_change_seq"]
    if not any(text(r, "expression") == "$AR_H_CHANGE_SEQ" for r in sequences):
        what = f"{schema}: no column dms_change_seq from $AR_H_CHANGE_SEQ: changes could not be ordered"
        yield Finding(
            f"{WHERE} {schema}", what, "add-column dms_change_seq, expression $AR_H_CHANGE_SEQ", "MED-DMS-016"
        )
    for rule in sequences:
        kind, length = text(rule, "data-type", "type"), at(rule, "data-type", "length")
        if kind != "string" or not isinstance(length, int) or length < SEQUENCE:
            what = f"{schema}: dms_change_seq is {kind}({length}); its {SEQUENCE} digits sort as text only"
            yield Finding(f"{WHERE} {schema} data-type", what, "data-type: string, length 50", "MED-DMS-016")
    images = [
        mapping(r, "before-image-def") for r in own if text(r, "rule-action") == "add-before-image-columns"
    ]
    if not any(_image(image) for image in images):
        what = (
            f"{schema}: no before-image of the key as BI_<key>: a changed key would leave its old row alive"
        )
        remedy = "add-before-image-columns with column-prefix BI_ and column-filter pk-only"
        yield Finding(f"{WHERE} {schema}", what, remedy, "MED-DMS-017")


def _image(image: Document) -> bool:
    named = image.get("column-prefix") == "BI_" and not image.get("column-suffix")
    return named and image.get("column-filter") in ("pk-only", "all")
