"""What a code means: for the terminal, and docs/findings.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from medallion_cli.errors import UsageError
from medallion_cli.operations.doctor.catalogue import CATALOGUE, ROOMS
from medallion_cli.operations.doctor.rules import Rule

# Rooms of `medallion validate`, whose findings say themselves what is wrong and where.
VALIDATED = {
    "ACC": "access between resources", "ALM": "alarms", "ASL": "the state machine", "CFG": "configuration",
    "CPY": "what COPY takes", "DMS": "the replication task", "DSH": "the dashboard", "EVT": "events",
    "GLU": "Glue jobs", "IAM": "policies", "MOD": "gold models", "NET": "networks", "PRP": "properties",
    "RDS": "the source database", "RSH": "the warehouse", "SCAN": "security", "SCH": "schedules",
    "SEC": "secrets", "SQL": "statements", "STO": "buckets and keys", "TPL": "templates", "WIR": "wiring of stacks",
}  # fmt: skip
FILLED = {
    "table": "orders",
    "folder": ".",
    "service": "rds",
    "remedy": "what the finding says",
    "way": "resume",
}
HEAD = """# Findings

What `medallion status`, `medallion doctor` and the look before an `up` can name. Each finding has a code that never means
anything else, evidence (where, and what was seen), and the command that mends it. `medallion doctor explain CODE` prints an
entry. `medallion doctor --fix` does by itself what is marked *safe*: it loses nothing and costs nothing.

`status` does not ask the warehouse, nor the source's schema unless a DDL statement was counted: `doctor` does. With an
embedded AWS that does not run or was never up, or a disk on which it can not, both say only that, and start nothing. The same
holds for credentials, a clock or a network with which AWS answers nothing.

This page is made of the catalogue in the code; codes of `medallion validate` (`MED-NET-…`, `MED-SQL-…` and so on) say
themselves what is wrong in which line.
"""


def explain(code: str) -> Rule:
    """The rule of a code; UsageError for one that there is not."""
    wanted = code.upper()
    if wanted in CATALOGUE:
        return CATALOGUE[wanted]
    room = re.fullmatch(r"MED-([A-Z]+)-\d+", wanted)
    if room and room[1] in VALIDATED:
        title = f"a rule of `medallion validate` about {VALIDATED[room[1]]}"
        return Rule(
            wanted, title, "What is deployed would not work, or not as it should.", "medallion validate"
        )
    raise UsageError(
        f"no finding {code}", hint="docs/findings.md lists them: medallion doctor explain MED-DMS-030"
    )


def page() -> str:
    """docs/findings.md."""
    rooms = [part for room, title in ROOMS.items() for part in _room(room, title)]
    return HEAD + "\n" + "\n".join(rooms)


def _room(room: str, title: str) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| code | what | consequence | what to type |\n|---|---|---|---|"
    for rule in CATALOGUE.values():
        if rule.code.split("-")[1] == room:
            safe = " *(safe)*" if rule.safe else ""
            note = f" {rule.note}" if rule.note else ""
            remedy = f"`{shown(rule).remedy}`" if "{remedy}" not in rule.remedy else FILLED["remedy"]
            yield f"| `{rule.code}` | {rule.title} | {rule.consequence} | {remedy}{safe}{note} |"
    yield ""


def shown(rule: Rule) -> Rule:
    """A rule whose remedy is an example."""
    return replace(rule, remedy=rule.remedy.format(**FILLED))
