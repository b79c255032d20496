"""Bronze files that cannot be taken: looked at before they are read, set aside with a reason, taken once they are mended.

What is set aside stands in a property of `<t>_changes`, with the file's size and time: another size or time is looked at
again, and a file that is gone is forgotten. Bronze itself is never touched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medallion_glue.document import Table
from medallion_glue.evolution import FRAME
from medallion_glue.objects import Listed, first_bytes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from medallion_glue.lakehouse import Lakehouse

NOTED = "medallion.set_aside"
SEQ = "dms_change_seq"
LOOKING = 8  # at once: each waits for S3
MAGIC = b"PAR1"
_NO_PARQUET = re.compile(
    r"not a Parquet file|magic number|corrupted file|can not read class org\.apache\.parquet"
)
TOLD = {
    "empty": "it is empty",
    "not_parquet": "it is not a Parquet file",
    "truncated": "it is a truncated Parquet file",
    "damaged": "its pages are damaged",
    "other_schema": "its columns are not the table's",
    "no_rows": "it holds no rows",
}
HARMLESS = ("no_rows",)  # nothing is lost by it


class BadFiles(Exception):
    """Files that can't be taken, where the policy is to fail or where the rest would replace what they hold."""


@dataclass(frozen=True)
class BadFile:
    """A file of bronze that is set aside; size in bytes, `modified` as S3 has it (ISO 8601)."""

    file: str
    reason: str
    size: int
    modified: str

    def is_of(self, entry: Listed) -> bool:
        """Whether the file is still the one that was looked at."""
        return (self.size, self.modified) == (entry.size, entry.modified.isoformat())


def of(house: Lakehouse, table: Table) -> dict[str, BadFile]:
    """What is set aside of a table, by bronze key."""
    return noted(house.properties(table.changes)[1]) if house.exists(table.changes) else {}


def noted(properties: Mapping[str, str]) -> dict[str, BadFile]:
    """The same of the properties of `<t>_changes`."""
    return {entry["file"]: BadFile(**entry) for entry in json.loads(properties.get(NOTED) or "[]")}


def note(house: Lakehouse, table: Table, bad: Mapping[str, BadFile], before: Mapping[str, BadFile]) -> None:
    """Notes what is set aside, where it differs from before."""
    if dict(bad) != dict(before):
        listed = [asdict(bad[key]) for key in sorted(bad)]
        house.set_properties(table.changes, {NOTED: json.dumps(listed)})


def sound(
    house: Lakehouse,
    table: Table,
    bucket: str,
    folder: str,
    base: str,
    new: Sequence[Listed],
    replaces: bool,
) -> list[str]:
    """Keys of the new files of a folder that can be taken; the others are set aside, or BadFiles is raised.

    `base` is the folder of the load that the folder's changes follow: what an older one lacks is made up for by that load.
    `replaces`: a bad file of a full load would take away what silver holds now.
    """
    before = noted(house.properties(table.changes)[1])
    stays = {key: bad for key, bad in before.items() if base <= key.split("/")[0] != folder}
    known = {e.key: before[e.key] for e in new if e.key in before and before[e.key].is_of(e)}
    found = known | looked_at(house.spark, table, bucket, [e for e in new if e.key not in known])
    refuse(table, found.values(), replaces)
    note(house, table, stays | found, before)
    return [entry.key for entry in new if entry.key not in found]


def refuse(table: Table, bad: Iterable[BadFile], replaces: bool = False) -> None:
    """Raises BadFiles where these must not be left out."""
    lost = [file for file in bad if file.reason not in HARMLESS]
    loads = [file for file in lost if is_load(file.file)]
    if lost and table.bad_files == "fail":
        raise BadFiles(f"{table.name}: {told(lost)}; its policy is fail")
    if loads and replaces:
        raise BadFiles(f"{table.name}: {told(loads)}; what silver holds stays until the load is whole")


def told(bad: Sequence[BadFile]) -> str:
    """One line: the first file, why, and how many more there are."""
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return f"bronze file {bad[0].file} cannot be read: {TOLD[bad[0].reason]}{more}"


def is_load(key: str) -> bool:
    """Whether it is of a full load."""
    return key.rpartition("/")[2].startswith("LOAD")


def looked_at(
    spark: SparkSession, table: Table, bucket: str, entries: Sequence[Listed]
) -> dict[str, BadFile]:
    """Those of the files that can't be taken, by key; only their ends are read."""
    if not entries:
        return {}
    if len(entries) <= LOOKING:  # a thread of its own costs the JVM one, too
        reasons = [_fault(spark, table, bucket, entry) for entry in entries]
    else:
        with ThreadPoolExecutor(LOOKING) as pool:
            reasons = list(pool.map(lambda entry: _fault(spark, table, bucket, entry), entries))
    return {entry.key: _bad(entry, reason) for entry, reason in zip(entries, reasons, strict=True) if reason}


def _bad(entry: Listed, reason: str) -> BadFile:
    return BadFile(entry.key, reason, entry.size, entry.modified.isoformat())


def _fault(spark: SparkSession, table: Table, bucket: str, entry: Listed) -> str | None:
    from py4j.protocol import Py4JJavaError

    if entry.size == 0:
        return "empty"
    try:
        rows, columns = footer(spark, f"s3://{bucket}/{entry.key}")
    except Py4JJavaError as error:
        if not _NO_PARQUET.search(str(error.java_exception.getMessage())):
            raise  # S3's fault, not the file's
        return "truncated" if first_bytes(bucket, entry.key, len(MAGIC)) == MAGIC else "not_parquet"
    if is_other(table, columns, is_load(entry.key)):
        return "other_schema"
    return None if rows else "no_rows"


def footer(spark: SparkSession, uri: str) -> tuple[int, list[str]]:
    """Rows and column names of a Parquet file, by Spark's own reader (Py4JJavaError when it has no footer)."""
    jvm: Any = spark._jvm
    conf = spark.sparkContext._jsc.hadoopConfiguration()
    file = jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(
        jvm.org.apache.hadoop.fs.Path(uri), conf
    )
    reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(file)
    try:
        schema = reader.getFileMetaData().getSchema()
        names = [str(schema.getFieldName(number)) for number in range(schema.getFieldCount())]
        return int(reader.getRecordCount()), names
    finally:
        reader.close()


def is_other(table: Table, columns: Iterable[str], load: bool) -> bool:
    """Whether a file is none of the table's: changes without their order, rows without the key and little else, or the key
    (its name may be the same elsewhere) with other columns alone.

    A table whose key was renamed still has most of its columns: that is schema drift, and not judged here.
    """
    present = {name.lower() for name in columns}
    if not load and SEQ not in present:
        return True
    own = {column.name.lower() for column in table.columns}
    if not all(key.lower() in present or f"bi_{key}".lower() in present for key in table.key):
        return len(own & present) * 2 < len(own)
    values = own - {key.lower() for key in table.key}
    foreign = present - own - {f"bi_{name}" for name in own} - set(FRAME)
    renamed = len(values) == len(foreign) == 1
    return bool(values and foreign) and not values & present and not renamed


def damaged(error: Exception, bucket: str, entries: Sequence[str]) -> str | None:
    """The one of the files that Spark could not read to its end; None when the error is another."""
    text = str(error)
    if not re.search(r"while reading file|FAILED_READ_FILE", text) or "cannot be converted" in text:
        return None
    return next((key for key in entries if f"{bucket}/{key}" in text or key in text), None)


def add(house: Lakehouse, table: Table, entry: Listed, replaces: bool) -> None:
    """Sets a file aside whose pages are damaged; BadFiles as in `refuse`."""
    bad = _bad(entry, "damaged")
    refuse(table, [bad], replaces)
    before = of(house, table)
    note(house, table, {**before, entry.key: bad}, before)
