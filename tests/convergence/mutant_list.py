"""Mutants of the product: each breaks one rule that convergence stands on. `old` must be in the file once, or it is stale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Patch:
    """A replacement in one file."""

    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Patches a copy of the product; ValueError when the text is not there exactly once."""
        path = root / self.file
        text = path.read_text()
        if (count := text.count(self.old)) != 1:
            raise ValueError(
                f"{self.file} has {count} places {self.old!r}: the mutant has to follow the product"
            )
        path.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True)
class Mutant:
    """One broken rule; `seeds`: within so many trials from seed 1 it has to be found."""

    name: str
    patches: tuple[Patch, ...]
    seeds: int = 8


GLUE = "glue_scripts/medallion_glue"
REPLICATION = "medallion_cli/local/replication"
SQL = "sql/redshift/procedures"


def mutant(name: str, *patches: tuple[str, str, str], seeds: int = 8) -> Mutant:
    """A mutant of (file, old, new)."""
    return Mutant(name, tuple(Patch(*patch) for patch in patches), seeds)


MUTANTS = (
    mutant(
        "newest version by commit time instead of position",
        (f"{GLUE}/newest.py", "`_seq` DESC, (`_op` = 'D') ASC", "`_commit_ts` DESC, (`_op` = 'D') ASC"),
    ),
    mutant(
        "validated before ranked: a bad newest version revives an older one",
        (
            f"{GLUE}/newest.py",
            'ranked = changes.selectExpr("*"',
            'ranked = changes.where("`_valid`").selectExpr("*"',
        ),
    ),
    mutant(
        "silver's merge does not look at positions",
        (f"{GLUE}/silver.py", "`_held` IS NULL OR struct(`_generation`, `_seq`) > `_held`", "true"),
        (f"{GLUE}/silver.py", "AND s.`_seq` >= t.`_seq`)", "AND true)"),
        seeds=12,
    ),
    mutant(
        "tombstones dropped early",
        (
            f"{GLUE}/silver.py",
            'f"THEN UPDATE SET {updates} WHEN NOT MATCHED',
            'f"AND s.`_is_deleted` THEN DELETE WHEN MATCHED AND s.`_seq` > t.`_seq` THEN UPDATE SET {updates} WHEN NOT MATCHED',
        ),
    ),
    mutant(
        "the before-image is not written",
        (f"{REPLICATION}/layout.py", "if not task.has_before(shape.schema, shape.table):", "if True:"),
    ),
    mutant(
        "the delete of a key that was left is missing",
        (f"{GLUE}/bronze.py", "THEN array('D', 'U')", "THEN array('U')"),
    ),
    mutant(
        "a null Op is no insert",
        (f"{GLUE}/bronze.py", "present, 'I')}", "present, 'D')}"),
    ),
    mutant(
        "files are taken again and again",
        (f"{GLUE}/silver.py", "done = {*taken, *self.erasures.emptied}", "done = {*self.erasures.emptied}"),
    ),
    mutant(
        "histories are ordered by time alone",
        (
            f"{GLUE}/history.py",
            'order = "`_generation`, `_seq`, (',
            'order = "`_generation`, `_from`.ts, (',
        ),
    ),
    mutant(
        "an aggregate is refreshed for the new groups only",
        (
            f"{SQL}/parts.sql",
            '{{- mark_groups(m, m.gold ~ " f JOIN " ~ m.staging ~ " s ON " ~ (m.key | matched("f", "s"))) }}\n',
            "",
        ),
    ),
    mutant(
        "a key that is gone is not staged as deleted",
        (
            f"{GLUE}/models.py",
            '_same_key("t", "f", self.model.key), "left")',
            '_same_key("t", "f", self.model.key), "inner")',
        ),
    ),
    mutant(
        "checkpoint before the file",
        (
            f"{REPLICATION}/replicator.py",
            "        self.state.pending = files\n        checkpoint.write_checkpoint(self.task.home, self.state)\n",
            "        checkpoint.write_checkpoint(self.task.home, self.state)\n        self.state.pending = files\n",
        ),
        seeds=20,
    ),
    mutant(
        "the ledger of silver leads its rows",
        (
            f"{GLUE}/silver.py",
            "        counts = self._merge(newest(new, self.table)",
            "        self._note(head, known)\n        counts = self._merge(newest(new, self.table)",
        ),
        seeds=30,
    ),
    mutant(
        "TRUNCATE in a merge",
        (f"{SQL}/parts.sql", "      DELETE FROM {{ m.gold }};\n", "      TRUNCATE {{ m.gold }};\n"),
        seeds=20,
    ),
    mutant(
        "gold's merge does not look at positions",
        (f"{SQL}/parts.sql", "IF v_expected <> v_position THEN", "IF FALSE THEN"),
        seeds=20,
    ),
    mutant(
        "a generation's snapshot has no tombstones",
        (
            f"{GLUE}/silver.py",
            "if snapshot_of is not None and self.house.head",
            "if False and self.house.head",
        ),
        seeds=20,
    ),
    mutant(
        "keys that a row left are not touched",
        (
            f"{GLUE}/models.py",
            'changed = self._changes(table).join(keys, list(table.key), "left_semi")',
            "changed = new",
        ),
        seeds=20,
    ),
    mutant(
        "a fact is not looked up again when its dimension changed",
        (
            f"{SQL}/scd2.sql",
            "SELECT {{ look.keys | join(', ') }} FROM {{ m.merging }};",
            "SELECT {{ look.keys | join(', ') }} FROM {{ m.merging }} WHERE FALSE;",
        ),
        seeds=20,
    ),
    mutant(
        "gold reads what silver has not merged yet",
        (
            f"{GLUE}/models.py",
            "merged = house.property(table.name, MERGED)",
            "merged = str(house.head(table.changes) or '')",
        ),
        seeds=30,
    ),
)
