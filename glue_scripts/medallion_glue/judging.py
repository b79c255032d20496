"""After all tables have taken their files: rules over more than one row are judged, and what rules keep out is counted."""

from __future__ import annotations

from dataclasses import replace

from medallion_glue import quality, relations, set_aside
from medallion_glue.refusing import refuse_related
from medallion_glue.silver import GENERATION, Counts, SilverTable, TableReport


def judged(silver: SilverTable, report: TableReport) -> TableReport:
    """The table's report once it has been judged; ExpectationBroken by a rule that fails the run."""
    house, table = silver.house, silver.table
    failed = report.state == "failed"
    if report.rows is None and not (failed and house.exists(table.name) and house.exists(table.changes)):
        return report  # its full load is still to come
    return _counted(silver, report, Counts() if failed else judge(silver))


def judge(silver: SilverTable) -> Counts:
    """Appends the judgements that differ from those before, and what that changes in `<t>`."""
    house, table = silver.house, silver.table
    if not relations.rules(table) and relations.JUDGED not in house.properties(table.changes)[1]:
        return Counts()
    base = house.property(table.name, GENERATION) or ""
    rows = relations.verdicts(house, table, base)
    if rows is None:
        return Counts()
    if relations.rules(table, "fail"):
        refuse_related(house, table, house.at(table.changes, None).where(f"`_generation` >= '{base}'"))
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
    head, properties = house.properties(table.changes)
    report = replace(
        report,
        inserted=report.inserted + counts.inserted,
        updated=report.updated + counts.updated,
        deleted=report.deleted + counts.deleted,
        quarantined=report.quarantined + counts.quarantined,
        set_aside=tuple(set_aside.noted(properties).values()),
        **quality.told(house, table, head, properties, bool(report.drift) or report.quarantined > 0),
    )
    return silver.described(report) if counts != Counts() else report
