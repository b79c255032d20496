"""The Data API's semantics: what runs, what it answers, what survives the daemon."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fake_runtime import SECRET, FakeRuntime

from medallion_cli.local.protocol import ServiceError
from medallion_cli.local.services import redshift_data

pytestmark = pytest.mark.engine
WHERE = {"WorkgroupName": "scratch", "Database": "dev"}


@pytest.fixture
def api(runtime: FakeRuntime) -> Any:
    return runtime.services["redshift-data"]


def ended(api: Any, answer: dict[str, Any]) -> dict[str, Any]:
    """Describes a statement once it has ended."""
    while True:
        found: dict[str, Any] = api.describe_statement({"Id": answer["Id"]})
        if found["Status"] in ("FINISHED", "FAILED", "ABORTED"):
            return found
        time.sleep(0.01)


def run(api: Any, sql: str, **more: Any) -> dict[str, Any]:
    return ended(api, api.execute_statement({"Sql": sql, **WHERE, **more}))


def test_fields_have_the_types_of_aws(api: Any) -> None:
    sql = (
        "SELECT 1::smallint a, 2::bigint b, 1.5::double precision c, true d, NULL::int e, "
        "1.50::decimal(10,2) f, '2024-01-02 03:04:05.6'::timestamp g, "
        "'2024-01-02'::date h, 'text'::varchar(9) i, 'ab'::varbyte j"
    )
    found = run(api, sql)
    assert (found["Status"], found["HasResultSet"], found["ResultRows"]) == ("FINISHED", True, 1)
    result = api.get_statement_result({"Id": found["Id"]})
    assert result["Records"] == [
        [
            {"longValue": 1},
            {"longValue": 2},
            {"doubleValue": 1.5},
            {"booleanValue": True},
            {"isNull": True},
            {"stringValue": "1.50"},
            {"stringValue": "2024-01-02 03:04:05.6"},
            {"stringValue": "2024-01-02"},
            {"stringValue": "text"},
            {"stringValue": "6162"},
        ]
    ]
    kinds = [column["typeName"] for column in result["ColumnMetadata"]]
    assert kinds == [
        "int2",
        "int8",
        "float8",
        "bool",
        "int4",
        "numeric",
        "timestamp",
        "date",
        "varchar",
        "varbyte",
    ]
    assert (result["ColumnMetadata"][5]["precision"], result["ColumnMetadata"][5]["scale"]) == (10, 2)


def test_parameters_are_bound_never_pasted(api: Any) -> None:
    given = [{"name": "a", "value": "1); DROP TABLE x; --"}, {"name": "n", "value": "41"}]
    found = run(api, "SELECT :a::varchar, ':a', :n::int + 1, 'x'::varchar", Parameters=given)
    record = api.get_statement_result({"Id": found["Id"]})["Records"][0]
    assert [next(iter(field.values())) for field in record] == ["1); DROP TABLE x; --", ":a", 42, "x"]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"Sql": "SELECT :a", "Parameters": [{"name": "a", "value": ""}]}, "NULL or empty"),
        ({"Sql": "SELECT :b", "Parameters": [{"name": "a", "value": "1"}]}, "'b' is not given"),
        ({"Sql": "SELECT 1", "Parameters": [{"name": "a", "value": "1"}]}, "unused"),
        ({"Sql": "SELECT '" + "x" * 102_400 + "'"}, "100 KB"),
        ({"Sqls": ["SELECT 1"] * 41}, "between 1 and 40"),
        ({"Sqls": ["SELECT :a"], "Parameters": [{"name": "a", "value": "1"}]}, "ExecuteStatement"),
        ({"Sql": "SELECT 1", "WorkgroupName": "none"}, "none does not exist"),
    ],
)
def test_what_aws_refuses_is_refused(api: Any, request_: dict[str, Any], said: str) -> None:
    call = api.batch_execute_statement if "Sqls" in request_ else api.execute_statement
    with pytest.raises(ServiceError, match=said):
        call(WHERE | request_)


def test_a_batch_is_one_transaction_and_names_what_failed(api: Any) -> None:
    run(api, "CREATE TABLE IF NOT EXISTS batched (a BIGINT)")
    sqls = ["INSERT INTO batched VALUES (1)", "INSERT INTO batched VALUES ('x')", "SELECT 1"]
    found = ended(api, api.batch_execute_statement({"Sqls": sqls, **WHERE}))
    assert found["Status"] == "FAILED"
    assert found["Error"].startswith("Query #2 failed with ERROR: invalid input syntax")
    assert [sub["Status"] for sub in found["SubStatements"]] == ["FINISHED", "FAILED", "ABORTED"]
    assert found["SubStatements"][1]["Error"].startswith("ERROR: invalid input syntax")
    counted = run(api, "SELECT COUNT(*) FROM batched")
    assert api.get_statement_result({"Id": counted["Id"]})["Records"] == [[{"longValue": 0}]]


def test_a_batch_s_results_are_reached_by_sub_statement(api: Any) -> None:
    found = ended(api, api.batch_execute_statement({"Sqls": ["SELECT 1", "SELECT 2, 3"], **WHERE}))
    assert (found["Status"], found["HasResultSet"]) == ("FINISHED", True)
    second = api.get_statement_result({"Id": found["SubStatements"][1]["Id"]})
    assert second["Records"] == [[{"longValue": 2}, {"longValue": 3}]]


def test_results_come_in_pages(api: Any) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
    found = run(api, numbers + "SELECT i, REPEAT('x', 500) FROM n ORDER BY i")
    seen: list[int] = []
    pages, token = 0, None
    while True:
        page = api.get_statement_result({"Id": found["Id"]} | ({"NextToken": token} if token else {}))
        seen += [record[0]["longValue"] for record in page["Records"]]
        pages, token = pages + 1, page.get("NextToken")
        if not token:
            break
    assert (pages, seen, page["TotalNumRows"]) == (3, list(range(1, 5001)), 5000)


def test_csv_results(api: Any) -> None:
    found = run(api, "SELECT 1 AS a, 'x,y' AS b", ResultFormat="CSV")
    result = api.get_statement_result_v2({"Id": found["Id"]})
    assert result["Records"] == [{"CSVRecords": 'a,b\r\n1,"x,y"\r\n'}]
    with pytest.raises(ServiceError):
        api.get_statement_result({"Id": found["Id"]})


def test_the_same_client_token_is_the_same_statement(api: Any) -> None:
    request = {"Sql": "SELECT 1", "ClientToken": "token-1", **WHERE}
    assert api.execute_statement(request)["Id"] == api.execute_statement(request)["Id"]


def test_one_statement_only(api: Any) -> None:
    assert "multiple commands" in run(api, "SELECT 1; SELECT 2")["Error"]


def test_a_running_statement_can_be_cancelled(api: Any) -> None:
    started = api.execute_statement({"Sql": "SELECT pg_sleep(30)", **WHERE})
    while api.describe_statement({"Id": started["Id"]})["Status"] != "STARTED":
        time.sleep(0.01)
    assert api.cancel_statement({"Id": started["Id"]}) == {"Status": True}
    assert ended(api, started)["Status"] == "ABORTED"
    with pytest.raises(ServiceError, match="already"):
        api.cancel_statement({"Id": started["Id"]})


def test_history_survives_and_what_ran_is_aborted(api: Any, runtime: FakeRuntime, tmp_path: Path) -> None:
    finished = run(api, "SELECT 42", StatementName="answer")
    started = api.execute_statement({"Sql": "SELECT pg_sleep(20)", **WHERE})
    while api.describe_statement({"Id": started["Id"]})["Status"] != "STARTED":
        time.sleep(0.01)
    after_crash = redshift_data.create(runtime)  # type: ignore[arg-type]
    after_crash.start()
    assert after_crash.describe_statement({"Id": started["Id"]})["Status"] == "ABORTED"
    assert after_crash.get_statement_result({"Id": finished["Id"]})["Records"] == [[{"longValue": 42}]]
    listed = after_crash.list_statements({"StatementName": "answer"})["Statements"]
    assert [each["Id"] for each in listed] == [finished["Id"]]
    with contextlib.suppress(ServiceError):  # the restart may have ended its backend already
        api.cancel_statement({"Id": started["Id"]})
    ended(api, started)


def test_a_secret_s_user_must_be_able_to_log_in(api: Any, runtime: FakeRuntime) -> None:
    assert run(api, "SELECT 1", SecretArn=SECRET)["Status"] == "FINISHED"
    right = runtime.secret
    try:
        runtime.secret = right | {"password": "wrong"}
        found = run(api, "SELECT 1", SecretArn=SECRET)
    finally:
        runtime.secret = right
    assert found["Status"] == "FAILED"
    assert "password authentication failed" in found["Error"]


def test_the_catalog(api: Any) -> None:
    run(api, "CREATE SCHEMA listed")
    run(api, "CREATE TABLE listed.orders (id BIGINT NOT NULL, total DECIMAL(12,2), note VARCHAR(40))")
    assert "dev" in api.list_databases(WHERE)["Databases"]
    assert api.list_schemas(WHERE | {"SchemaPattern": "list%"})["Schemas"] == ["listed"]
    tables = api.list_tables(WHERE | {"SchemaPattern": "listed"})["Tables"]
    assert tables == [{"schema": "listed", "name": "orders", "type": "TABLE"}]
    columns = api.describe_table(WHERE | {"Schema": "listed", "Table": "orders"})["ColumnList"]
    assert [(each["name"], each["typeName"], each["nullable"]) for each in columns] == [
        ("id", "int8", 0),
        ("total", "numeric", 1),
        ("note", "varchar", 1),
    ]


def test_many_statements_at_once(api: Any) -> None:
    answers: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(run(api, f"SELECT {n}"))) for n in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each["Status"] for each in answers} == {"FINISHED"}
