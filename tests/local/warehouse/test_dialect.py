"""Redshift's SQL on the local engine: what is taken means what it means there, the rest is refused."""

from __future__ import annotations

import hashlib

import floating_numbers
import pytest
from scratch_warehouse import Scratch

from medallion_cli.canonical import canonical_model, cells_select, digests_select
from medallion_cli.local.engines.dialect import UnsupportedSQL, split, translate
from medallion_cli.local.engines.redshift_errors import SqlError

SELECTS = [
    ("SELECT DATEDIFF(day, '2024-02-28'::date, '2024-03-01'::date)", "2"),
    ("SELECT DATEDIFF(month, '2024-01-31'::timestamp, '2024-02-01'::timestamp)", "1"),
    ("SELECT DATEDIFF('year', '2023-12-31'::date, '2024-01-01'::date)", "1"),
    ("SELECT DATEDIFF(hours, '2024-01-01 00:59:59'::timestamp, '2024-01-01 01:00:00'::timestamp)", "1"),
    ("SELECT DATEADD(month, 1, '2024-01-31'::date)", "2024-02-29 00:00:00"),
    ("SELECT DATEADD(qtr, -1, '2024-05-01 10:00:00'::timestamp)", "2024-02-01 10:00:00"),
    ("SELECT DATE_TRUNC('month', '2024-05-17'::date)", "2024-05-01 00:00:00"),
    ("SELECT EXTRACT(epoch FROM '1970-01-02'::timestamp)", "86400"),
    ("SELECT EXTRACT(second FROM '2024-01-01 00:00:59.9'::timestamp)", "59"),
    ("SELECT DATE_PART(dow, '2024-05-19'::date)", "0"),
    ("SELECT LAST_DAY('2024-02-03'::date)", "2024-02-29"),
    ("SELECT ADD_MONTHS('2024-02-29'::date, 1)", "2024-03-31 00:00:00"),
    (
        "SELECT CONVERT_TIMEZONE('UTC', 'Europe/Berlin', '2024-07-01 12:00:00'::timestamp)",
        "2024-07-01 14:00:00",
    ),
    ("SELECT TRUNC('2024-07-01 12:00:00'::timestamp)", "2024-07-01"),
    ("SELECT NVL(NULL, NULL, 3)", "3"),
    ("SELECT NVL2(NULL, 1, 2)", "2"),
    ("SELECT DECODE(NULL, 1, 'one', NULL, 'none', 'other')", "none"),
    ("SELECT CONCAT('a', NULL)", None),
    ("SELECT LEN('äöü')", "3"),
    ("SELECT CHARINDEX('b', 'abc')", "2"),
    ("SELECT REGEXP_REPLACE('a1b22', '[0-9]+', '#')", "a#b#"),
    ("SELECT REGEXP_REPLACE('a1', '(\\\\d)', '<$1>')", "a<1>"),
    ("SELECT STRTOL('ffffffff', 16)", "4294967295"),
    ("SELECT STRTOL('777', 8)", "511"),
    ("SELECT TO_HEX('abc'::VARBYTE)", "616263"),
    ("SELECT MD5('abc')", "900150983cd24fb0d6963f7d28e17f72"),
    ("SELECT SHA2('abc', 256)", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("SELECT JSON_EXTRACT_PATH_TEXT('{\"a\":{\"b\":7}}', 'a', 'b')", "7"),
    ("SELECT AVG(n) FROM (SELECT 1 AS n UNION ALL SELECT 2) q", "1"),
    ("SELECT AVG(n) FROM (SELECT 1.00::decimal(5,2) AS n UNION ALL SELECT 2.01) q", "1.50"),
    ("SELECT LISTAGG(n, '-') WITHIN GROUP (ORDER BY n DESC) FROM (SELECT 1 AS n UNION SELECT 2) q", "2-1"),
    ("SELECT LISTAGG(DISTINCT n) FROM (SELECT 1 AS n UNION ALL SELECT 1) q", "1"),
    ("SELECT COUNT(*) FROM (SELECT 1 MINUS SELECT 1) q", "0"),
    ("SELECT 'it\\'s'", "it's"),
    ("SELECT 7 / 2", "3"),
    ("SELECT 1.5::DECIMAL", "2"),
    ("SELECT 'x' /* a ; comment */ || 'y' -- and ' another", "xy"),
]


@pytest.mark.engine
@pytest.mark.parametrize(("sql", "expected"), SELECTS, ids=[sql for sql, _ in SELECTS])
def test_an_expression_means_what_it_means_on_redshift(
    warehouse: Scratch, sql: str, expected: str | None
) -> None:
    assert warehouse.run(sql) == [(expected,)]


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELECT * FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 1", "QUALIFY"),
        ("SELECT TOP 3 * FROM t", "TOP"),
        ("SELECT MEDIAN(a) FROM t", "MEDIAN"),
        ("SELECT RATIO_TO_REPORT(a) OVER () FROM t", "RATIO_TO_REPORT"),
        ("MERGE INTO t USING s ON t.a = s.a REMOVE DUPLICATES", "REMOVE DUPLICATES"),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "ON CONFLICT"),
        ("DELETE FROM t RETURNING a", "RETURNING"),
        ("SELECT COUNT(*) FILTER (WHERE a > 1) FROM t", "FILTER"),
        ("CREATE INDEX i ON t (a)", "CREATE INDEX"),
        ("CREATE TABLE #t (a INT)", "#t"),
        ("CREATE TABLE t (a VARCHAR(70000))", "65535"),
        ("UNLOAD ('SELECT 1') TO 's3://x'", "UNLOAD"),
        ("CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN SELECT TOP 1 a FROM t; END $$", "TOP"),
        ("SELECT 'unterminated", "unterminated"),
    ],
)
def test_what_only_one_engine_runs_is_refused_by_name(sql: str, named: str) -> None:
    with pytest.raises(UnsupportedSQL, match=named):
        translate(sql)


def test_names_that_look_like_keywords_are_left_alone() -> None:
    sql = "SELECT t.qualify, q.top AS median, 'TOP 3' FROM t"
    assert translate(sql) == [sql]


def test_a_script_is_cut_at_its_statements_only() -> None:
    script = "SELECT ';'; CREATE PROCEDURE p() AS $$ BEGIN NULL; NULL; END $$ LANGUAGE plpgsql; -- end;\n"
    assert [one.split()[0] for one in split(script)] == ["SELECT", "CREATE"]


@pytest.mark.engine
def test_keys_are_not_enforced_but_not_null_is(warehouse: Scratch) -> None:
    warehouse.run(
        """CREATE TABLE t (a BIGINT ENCODE az64 DISTKEY, b VARCHAR(4) NOT NULL ENCODE zstd SORTKEY,
               c INTEGER UNIQUE REFERENCES other (x), PRIMARY KEY (a), FOREIGN KEY (c) REFERENCES x.y (z))
           BACKUP NO DISTSTYLE KEY COMPOUND SORTKEY (a, b)"""
    )
    warehouse.run("INSERT INTO t VALUES (1, 'a', 1), (1, 'a', 1)")
    assert warehouse.run("SELECT COUNT(*) FROM t") == [("2",)]
    with pytest.raises(SqlError, match="null value"):
        warehouse.run("INSERT INTO t VALUES (NULL, 'a', 1)")


@pytest.mark.engine
def test_varchar_counts_bytes_also_in_a_table_made_like_another(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (a VARCHAR(4), b VARCHAR(MAX), c VARCHAR)")
    warehouse.run("CREATE TEMP TABLE copied (LIKE t)")
    for table in ("t", "copied"):
        warehouse.run(f"INSERT INTO {table} (a) VALUES ('äö')")
        with pytest.raises(SqlError, match=r"value too long for type character varying\(4\)"):
            warehouse.run(f"INSERT INTO {table} (a) VALUES ('äöx')")


@pytest.mark.engine
def test_identity_counts_and_cannot_be_given(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (id BIGINT IDENTITY(10, 5), a INTEGER)")
    warehouse.run("INSERT INTO t (a) VALUES (1), (2)")
    assert warehouse.run("SELECT id FROM t ORDER BY id") == [("10",), ("15",)]
    with pytest.raises(SqlError, match="identity"):
        warehouse.run("INSERT INTO t VALUES (1, 1)")


@pytest.mark.engine
def test_super_and_varbyte_columns(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (a SUPER, b VARBYTE(16))")
    warehouse.run("INSERT INTO t VALUES (JSON_PARSE('{\"k\": 1}'), FROM_HEX('00ff'))")
    assert warehouse.run("SELECT JSON_SERIALIZE(a), TO_HEX(b) FROM t") == [('{"k": 1}', "00ff")]


PROCEDURE = """
CREATE OR REPLACE PROCEDURE fill(run VARCHAR(64), counted INOUT BIGINT) LANGUAGE plpgsql AS $$
DECLARE
    note VARCHAR(MAX) := NVL(run, 'none');  -- a comment; with a semicolon
BEGIN
    CREATE TEMP TABLE picked (LIKE t);
    INSERT INTO picked SELECT * FROM t
    WHERE a = CASE WHEN note = 'none' THEN 0 ELSE LEN(COALESCE(note, 'x')) END;
    DELETE FROM t USING picked WHERE picked.a = t.a;
    GET DIAGNOSTICS counted := ROW_COUNT;
    IF counted > 1 THEN
        RAISE INFO 'many: %', counted;
    ELSIF counted = 0 THEN
        RAISE EXCEPTION 'nothing for %', run;
    END IF;
    DROP TABLE picked;
END
$$"""


@pytest.mark.engine
def test_a_procedure_s_body_is_translated_too(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (a BIGINT, b VARCHAR(10))")
    warehouse.run("INSERT INTO t VALUES (3, 'x'), (3, 'y'), (4, 'z')")
    warehouse.run(PROCEDURE)
    assert warehouse.run("CALL fill('abc', 0)") == [("2",)]
    assert warehouse.run("SELECT b FROM t") == [("z",)]
    with pytest.raises(SqlError, match="nothing for none"):
        warehouse.run("CALL fill('none', 0)")


@pytest.mark.engine
def test_truncate_commits(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (a INTEGER)")
    warehouse.run("BEGIN")
    warehouse.run("INSERT INTO t VALUES (1)")
    warehouse.run("TRUNCATE t")
    warehouse.run("INSERT INTO t VALUES (2)")
    warehouse.run("ROLLBACK")
    assert warehouse.run("SELECT a FROM t") == [("2",)]


@pytest.mark.engine
def test_truncate_in_a_procedure_fails_inside_a_transaction_block(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (a INTEGER)")
    warehouse.run("CREATE PROCEDURE empty() LANGUAGE plpgsql AS $$ BEGIN TRUNCATE TABLE t; END $$")
    warehouse.run("CALL empty()")
    warehouse.run("BEGIN")
    with pytest.raises(SqlError, match="invalid transaction termination"):
        warehouse.run("CALL empty()")
    warehouse.run("ROLLBACK")


@pytest.mark.engine
def test_merge_update_from_and_delete_using(warehouse: Scratch) -> None:
    warehouse.script("CREATE TABLE t (k BIGINT, v INTEGER); CREATE TABLE s (k BIGINT, v INTEGER)")
    warehouse.script("INSERT INTO t VALUES (1, 1), (2, 2); INSERT INTO s VALUES (2, 20), (3, 30)")
    warehouse.run(
        "MERGE INTO t USING s ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = s.v "
        "WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, s.v)"
    )
    warehouse.run("UPDATE t SET v = t.v + s.v FROM s WHERE s.k = t.k AND t.k = 3")
    warehouse.run("DELETE FROM t USING s WHERE s.k = t.k AND t.k = 2")
    assert warehouse.run("SELECT k, v FROM t ORDER BY k") == [("1", "1"), ("3", "60")]


@pytest.mark.engine
def test_maintenance_grants_and_settings_are_taken(warehouse: Scratch) -> None:
    warehouse.script(
        """CREATE TABLE t (a INTEGER);
        VACUUM DELETE ONLY t TO 99 PERCENT BOOST; VACUUM SORT ONLY; ANALYZE t PREDICATE COLUMNS;
        ALTER TABLE t ALTER SORTKEY (a); ALTER TABLE t ADD COLUMN b VARCHAR(MAX) ENCODE lzo DEFAULT 'x';
        ALTER TABLE t ADD PRIMARY KEY (a);
        SET query_group TO 'etl'; SET enable_case_sensitive_identifier TO true;
        CREATE VIEW v AS SELECT a FROM t WITH NO SCHEMA BINDING"""
    )
    role = warehouse.run("SELECT 'reader_' || CURRENT_SCHEMA()")[0][0]
    warehouse.script(
        f"CREATE ROLE {role}; GRANT SELECT ON t TO ROLE {role}; REVOKE SELECT ON t FROM ROLE {role}"
    )
    warehouse.run(f"DROP ROLE {role}")


@pytest.mark.engine
def test_a_write_conflict_is_error_1023(warehouse: Scratch) -> None:
    warehouse.script("CREATE TABLE t (a INTEGER, b INTEGER); INSERT INTO t VALUES (1, 0)")
    schema = warehouse.run("SELECT CURRENT_SCHEMA()")[0][0]
    other = warehouse.engine.session()
    warehouse.run("BEGIN")
    warehouse.run("SELECT * FROM t")
    other.execute(f"UPDATE {schema}.t SET b = 1")
    other.close()
    with pytest.raises(SqlError, match="1023") as failed:
        warehouse.run("UPDATE t SET b = 2")
    assert "Serializable isolation violation" in str(failed.value)
    warehouse.run("ROLLBACK")


@pytest.mark.engine
def test_buckets_of_keys_and_hashes_of_columns_are_those_of_the_text(warehouse: Scratch) -> None:
    warehouse.run("CREATE TABLE t (id BIGINT, name VARCHAR(40))")
    warehouse.run("INSERT INTO t VALUES (1, 'Ünï|'), (2, NULL)")
    key, texts = ["CAST(id AS VARCHAR)"], ["CAST(id AS VARCHAR)", "name"]
    bucket, row, cells = (hashlib.md5(text.encode()).hexdigest() for text in ("1:1", "1:1|4:Ünï|", "4:Ünï|"))
    lanes = ":".join(str(int(row[i : i + 8], 16)) for i in (0, 8, 16, 24))
    found = warehouse.run(digests_select("redshift", "t", key, texts, 3, [bucket[:2]]))
    assert found == [(bucket[:3], f"1:{lanes}")]
    assert warehouse.run(cells_select("redshift", "t", key, texts, [bucket[:3]])) == [
        ("1", bucket[:8] + cells[:8])
    ]


@pytest.mark.engine
def test_binary_numbers_have_one_text_on_every_engine(warehouse: Scratch) -> None:
    text = canonical_model("double", "x")["redshift"]
    found = warehouse.run(f"SELECT {text} FROM ({floating_numbers.rows_sql('redshift')}) q ORDER BY n")
    assert [row[0] for row in found] == list(floating_numbers.TEXTS.values())
