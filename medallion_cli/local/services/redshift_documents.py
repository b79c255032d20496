"""The Data API's documents: a statement as it is kept, and as each operation shows it."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Any


def new_statement(params: dict[str, Any], login: tuple[str, str, str, str]) -> dict[str, Any]:
    """The document of a statement that was just submitted."""
    now = time.time()
    identifier = str(uuid.uuid4())
    batch = "Sqls" in params
    common = {
        "status": "SUBMITTED",
        "created": now,
        "updated": now,
        "error": None,
        "rows": -1,
        "has_result": False,
    }
    common |= {
        "format": params.get("ResultFormat", "JSON"),
        "columns": [],
        "seconds": 0.0,
        "size": 0,
        "started": now,
    }
    subs = [
        common | {"id": f"{identifier}:{number}", "sql": sql}
        for number, sql in enumerate(params.get("Sqls", []), 1)
    ]
    return common | {
        "id": identifier,
        "sql": params.get("Sql", ""),
        "batch": batch,
        "subs": subs,
        "name": params.get("StatementName"),
        "token": params.get("ClientToken"),
        "workgroup": login[0],
        "database": login[1],
        "user": login[2],
        "secret": params.get("SecretArn"),
        "parameters": params.get("Parameters", []),
    }


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def submitted(statement: dict[str, Any]) -> dict[str, Any]:
    """The answer to a submission."""
    answer = {
        "Id": statement["id"],
        "CreatedAt": _time(statement["created"]),
        "Database": statement["database"],
        "WorkgroupName": statement["workgroup"],
        "DbUser": statement["user"],
        "Status": statement["status"],
    }
    return answer | ({"SecretArn": statement["secret"]} if statement["secret"] else {})


def _state(statement: dict[str, Any]) -> dict[str, Any]:
    answer = {
        "Id": statement["id"],
        "Status": statement["status"],
        "CreatedAt": _time(statement["created"]),
        "UpdatedAt": _time(statement["updated"]),
        "Duration": round(statement["seconds"] * 1e9),
        "HasResultSet": statement["has_result"],
        "ResultRows": statement["rows"],
        "ResultSize": statement["size"],
        "QueryString": statement["sql"],
        "RedshiftQueryId": 0,
    }
    return answer | ({"Error": statement["error"]} if statement["error"] else {})


def described(statement: dict[str, Any]) -> dict[str, Any]:
    """The answer to DescribeStatement."""
    answer = _state(statement)
    if "batch" not in statement:
        return answer
    answer |= {
        "WorkgroupName": statement["workgroup"],
        "Database": statement["database"],
        "DbUser": statement["user"],
    }
    answer |= {"RedshiftPid": 0, "ResultFormat": statement["format"]}
    optional = {"SecretArn": statement["secret"], "QueryParameters": statement["parameters"]}
    optional["SubStatements"] = [_state(sub) for sub in statement["subs"]]
    return answer | {key: value for key, value in optional.items() if value}


def listed(statement: dict[str, Any]) -> dict[str, Any]:
    """An entry of ListStatements."""
    answer = {
        "Id": statement["id"],
        "Status": statement["status"],
        "CreatedAt": _time(statement["created"]),
        "UpdatedAt": _time(statement["updated"]),
        "IsBatchStatement": statement["batch"],
        "ResultFormat": statement["format"],
    }
    if statement["batch"]:
        answer["QueryStrings"] = [sub["sql"] for sub in statement["subs"]]
    else:
        answer["QueryString"] = statement["sql"]
    optional = {"StatementName": statement["name"], "SecretArn": statement["secret"]}
    return answer | {key: value for key, value in optional.items() if value}


def result(statement: dict[str, Any]) -> dict[str, Any]:
    """The head of a result."""
    return {"ColumnMetadata": statement["columns"], "TotalNumRows": statement["rows"]}


def paged(answer: dict[str, Any], token: str | None) -> dict[str, Any]:
    """An answer with the token of its next page, if there is one."""
    return answer | ({"NextToken": token} if token else {})
