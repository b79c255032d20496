"""After all tables have taken their files: rules over more than one row are judged, and what rules keep out is counted."""

from __future__ import annotations

from dataclasses import replace

from medallion_glue import quality, relations, set_aside
from medallion_glue.silver import GENERATION, Counts, SilverTable, TableReport


def judged(silver: SilverTable, report: TableReport) -> TableReport:
    """The table's report once it has been judged; ExpectationBroken by a rule that fails the run."""
    house, table = silver.house, silver.table
    if not house.exists(table.name) or not house.exists(table.changes):
        return report
    return _counted(silver, report, Counts() if report.state == "failed" else judge(silver))


def judge(silver: SilverTable) -> Counts:
    """Appends the judgements that differ from those before, and what that changes in `<t>`."""
    house, table = silver.house, silver.table
    base = house.property(table.name, GENERATION) or ""
    rows = relations.verdicts(house, table, base)
    if rows is None:
        return Counts()
    if relations.rules(table, "fail"):
        silver.refuse(house.at(table.changes, None).where(f"`_generation` >= '{base}'"))
    rows = rows.persist()
    try:
        if not rows.isEmpty():
            rows.writeTo(house.name(table.changes)).append()
    finally:
        rows.unpersist()
    counts = silver.bring()
    relations.note(house, table)
    return counts


def _counted(silver: SilverTable, report: TableReport, counts: Counts) -> TableReport:
    house, table = silver.house, silver.table
    base = house.property(table.name, GENERATION) or ""
    report = replace(
        report,
        inserted=report.inserted + counts.inserted,
        updated=report.updated + counts.updated,
        deleted=report.deleted + counts.deleted,
        quarantined=report.quarantined + counts.quarantined,
        set_aside=tuple(set_aside.of(house, table).values()),
        **quality.told(house, table, base, bool(report.drift)),
    )
    return silver.described(report) if counts != Counts() else report
