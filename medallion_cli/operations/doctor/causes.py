"""Which code a failure has, by its own words: of a run's cause, and of an error that a command ends with."""

from __future__ import annotations

import re

# the first that matches; None: told by a check of its own
CAUSES: tuple[tuple[str, str | None], ...] = (
    (r"replication is (?!running)|Medallion\.ReplicationNotRunning", None),
    (r"no space left|disk full|Errcode: 28", "MED-ENV-004"),
    (r"schema drift", "MED-SIL-010"),
    (r"does not fit (int|bigint|smallint|decimal)", "MED-SIL-012"),
    (r"is not a Parquet file|magic number|footer|corrupt\w*|not Parquet|cannot be read", "MED-SIL-004"),
    (r"(procedure|function) .* does not exist|relation \S*(gold|etl|staging)\.\S* does not exist", "MED-GLD-006"),
    (r"/code/\S+ does not exist|LAUNCH ERROR.*S3", "MED-RUN-007"),  # the local Glue's words, and Glue's
    (r"expectation|breaks? the rule|row\(s\) break '", "MED-SIL-002"),
    (r"restage|last `?to`?|position|out of order", "MED-GLD-003"),
    (r"lock timeout|canceling statement|deadlock|\b1023\b|serializable|statement timeout|was cancel", "MED-GLD-004"),
    (r"usage limit|query is not allowed", "MED-GLD-005"),
    (r"Medallion\.CopyFailed|\bCOPY\b|Spectrum|incompatible Parquet|stl_load|staging\.|between table and file", "MED-GLD-002"),
    (r"no connection to|could not connect|connection was lost|DatabaseConnectionException", "MED-GLD-001"),
)  # fmt: skip


def code_of(cause: str) -> str | None:
    """The code of a cause; that of any failed run when none of the rows fits; None when another check tells it."""
    for pattern, code in CAUSES:
        if re.search(pattern, cause, re.IGNORECASE):
            return code
    return "MED-RUN-001"


# What a command's error says → its code; a run's cause is looked at as above.
ERRORS: tuple[tuple[str, str], ...] = (
    (r"is paused since", "MED-ENV-008"),
    (r"environment \S+ is not up", "MED-ENV-014"),
    (r"no space left|disk full|Errcode: 28\b", "MED-ENV-004"),
    (r"no Java|JAVA_HOME", "MED-ENV-005"),
    (r'endpoint URL: "http://(127\.|localhost)|the embedded AWS (did not start|does not get ready)', "MED-ENV-010"),
    (r"Could not connect to the endpoint URL|EndpointConnectionError|ConnectionClosedError|ConnectTimeoutError", "MED-ENV-015"),
    (r"RequestTimeTooSkewed|RequestExpired|Signature (expired|not yet current)", "MED-ENV-002"),
    (r"NoCredentials|PartialCredentials|CredentialRetrieval|ProfileNotFound|ExpiredToken|InvalidClientTokenId|InvalidAccessKeyId"
     r"|UnrecognizedClient|AuthFailure|SignatureDoesNotMatch|InvalidSignature|SSOToken|SSOError|TokenRetrieval|LoginRefreshRequired"
     r"|MissingAuthenticationToken", "MED-ENV-001"),
    (r"refuses the replication user|Access denied for user", "MED-SRC-003"),
    (r"the source database \S+ (is|stays) (stopped|stopping|failed|storage-full|inaccessible)", "MED-SRC-001"),
    (r"the source database .*does not answer|the source at .* refused the connection|full load stands still", "MED-SRC-002"),
    (r"Unknown column '", "MED-SRC-005"),
    (r"Table '\S+' doesn't exist|the source has no table \S+ any more", "MED-SRC-006"),
    (r"it is kept for .* hours, less than", "MED-DMS-003"),
    (r"the source's binary log:", "MED-DMS-033"),
    (r"purged|binlog position is not available|\b1236\b", "MED-DMS-032"),
    (r"replication (is failed|failed)", "MED-DMS-031"),
    (r"replication is (stopped|ready)", "MED-DMS-030"),
    (r"(full load|replication) of \S+: Table", "MED-DMS-034"),
)  # fmt: skip


def code_of_error(text: str) -> str | None:
    """The code of what a command ended with; None of a message that has none, or names it itself."""
    if "MED-" in text:
        return None
    if found := next((code for pattern, code in ERRORS if re.search(pattern, text, re.IGNORECASE)), None):
        return found
    if re.search(r"\brun-\d{8}T\d{6}Z-\w+ aborted", text):
        return "MED-RUN-002"
    return code_of(text) if re.search(r"\brun-\d{8}T\d{6}Z-\w+ (failed|timed_out)", text) else None
