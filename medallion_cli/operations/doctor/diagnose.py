"""The checks, in order, and what they find; one that can't look says so and stops no other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Progressed, Started
from medallion_cli.operations.doctor import environment, replication, runs, schema, source, warehouse
from medallion_cli.operations.doctor.catalogue import finding
from medallion_cli.operations.doctor.rules import NotLooked

if TYPE_CHECKING:
    from medallion_cli.operations.doctor.look import Look
    from medallion_cli.operations.doctor.rules import Finding

Check = Callable[["Look"], Iterator["Finding"]]
STEP = "looking"
UNTOLD = (MedallionError, KeyError)  # AWS says no, or a stack is missing whose output would tell where to ask
# What `status` asks as well: nothing that wakes the warehouse; the source is asked one question, its schema only when a DDL
# statement was counted.
QUICK: dict[str, Check] = {
    "credentials and clock": environment.credentials,
    "quotas": environment.quotas,
    "pause": environment.pause,
    "stacks": environment.stacks,
    "lock": environment.held,
    "drift": environment.drifted,
    "source database": source.database,
    "replication": replication.task,
    "replicated tables": replication.tables,
    "replication instance": replication.instance,
    "replication lag": replication.lag,
    "last run": runs.last,
    "freshness": runs.fresh,
    "quarantine": runs.quarantined,
    "bronze files": runs.set_aside,
    "schema drift": schema.seen,
    "schedules": runs.scheduled,
    "warehouse": warehouse.workgroup,
    "source": source.answers,
    "binary log": source.binlog,
}
CHECKS: dict[str, Check] = {
    **QUICK,
    "versions": environment.versions,
    "schema": schema.asked,
    "statements": warehouse.statements,
}


@dataclass(frozen=True)
class Diagnosis:
    """What was found, which checks found nothing, and which did not look."""

    env: str
    findings: list[Finding]
    passed: list[str]
    skipped: list[str] = field(default_factory=lambda: [*CHECKS])

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong; a warning is not."""
        return not any(one.severity == "error" for one in self.findings)

    @property
    def document(self) -> dict[str, Any]:
        """One JSON document."""
        found = [asdict(one) for one in self.findings]
        told = {"passed": self.passed, "skipped": self.skipped}
        return {"env": self.env, "healthy": self.healthy, "findings": found, **told}


def diagnose(look: Look) -> Generator[Event, None, Diagnosis]:
    """Runs every check; nothing more once AWS does not know who asks."""
    findings: list[Finding] = []
    passed: list[str] = []
    skipped: list[str] = []
    yield Started(STEP)
    _ask(look)
    for number, (name, check) in enumerate(CHECKS.items()):
        yield Progressed(STEP, number, len(CHECKS), f"checks: {name}")
        found = seen(look, name, check)
        findings += found or []
        skipped += [name] if found is None else []
        passed += [name] if found == [] else []
        if is_refused(findings):
            skipped += [*CHECKS][number + 1 :]
            break
    yield Finished(STEP, f"{len(findings)} found")
    return Diagnosis(look.settings.env, merged(findings), passed, skipped)


def quick(look: Look) -> list[Finding]:
    """What `status` shows."""
    findings: list[Finding] = []
    _ask(look)
    for name, check in QUICK.items():
        findings += seen(look, name, check) or []
        if is_refused(findings):
            break
    return merged(findings)


def is_refused(findings: Iterable[Finding]) -> bool:
    """Whether AWS takes no question from here."""
    return any(one.where == environment.WHO_ASKS for one in findings)


def _ask(look: Look) -> None:
    """Has the question to the source under way while others look; what stands in its way is told by its check."""
    with suppress(*UNTOLD):
        _ = look.source


def seen(look: Look, name: str, check: Check) -> list[Finding] | None:
    """What one check finds; MED-ENV-013 when it could not look, None when it did not."""
    try:
        return list(check(look))
    except NotLooked:
        return None
    except UNTOLD as error:
        return [unseen(name, error)]


def unseen(name: str, error: Exception) -> Finding:
    """That something could not be looked at, and why."""
    if isinstance(error, KeyError):  # an output of a stack that is missing
        return finding("MED-ENV-013", f"{name}: no stack gives {error}", where=name, remedy="medallion up")
    hint = getattr(error, "hint", None) or "medallion status"
    return finding("MED-ENV-013", f"{name}: {error}", where=name, remedy=hint)


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first; the same matter once, and once what can't be looked at for the same reason."""
    unique: dict[tuple[str, str], Finding] = {}
    for one in findings:
        unique.setdefault((one.code, one.where), one)
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(_joined(unique.values()), key=lambda one: order[one.severity])


def _joined(findings: Iterable[Finding]) -> list[Finding]:
    found: dict[tuple[str, str], Finding] = {}
    for one in findings:
        reason = one.evidence.removeprefix(f"{one.where}: ")
        key = (one.code, reason if one.code == "MED-ENV-013" else one.where)
        if (first := found.setdefault(key, one)) is not one:
            names = ", ".join(dict.fromkeys([*first.where.split(", "), *one.where.split(", ")]))
            found[key] = replace(first, where=names, evidence=f"{names}: {reason}")
    return list(found.values())
