"""Why a stack failed: the root cause in the service's words, and nothing of what only followed from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from medallion_cli.aws.cloudformation import Stack, StackEvent
from medallion_cli.operations.deployment.failure import failure, said

Told = tuple[str, str, str]


def events(*told: Told) -> list[StackEvent]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        StackEvent(str(n), start + timedelta(seconds=n), resource, "AWS::X::Y", status, reason)
        for n, (resource, status, reason) in enumerate(told)
    ]


def stack(status: str, reason: str = "") -> Stack:
    return Stack("retail-dev-source", status, reason, {}, {})


CANCELLED = [
    ("Role", "CREATE_FAILED", "Resource creation cancelled"),
    ("Role", "UPDATE_FAILED", "Resource update cancelled"),
]


def test_the_oldest_failure_is_told_and_cancellations_are_not() -> None:
    found = failure(
        stack("ROLLBACK_COMPLETE"),
        events(
            *CANCELLED,
            ("Database", "CREATE_FAILED", "no such class"),
            (
                "retail-dev-source",
                "ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed to create: [Database].",
            ),
        ),
    )
    assert str(found) == (
        "retail-dev-source: Database (AWS::X::Y) could not be created: no such class [ROLLBACK_COMPLETE]"
    )
    assert found.hint == "mend it, then: medallion up"


def test_what_then_fails_to_go_is_no_cause() -> None:
    told = events(("Function", "CREATE_FAILED", "no role"), ("Bucket", "DELETE_FAILED", "not empty"))
    found = failure(stack("ROLLBACK_FAILED"), told)
    assert str(found) == (
        "retail-dev-source: Function (AWS::X::Y) could not be created: no role [ROLLBACK_FAILED]; "
        "it is rolled back, but Bucket (AWS::X::Y) could not be deleted: not empty"
    )
    assert found.hint == "mend it, then: medallion up"  # which makes the stack again


def test_an_update_whose_rollback_fails_is_rolled_back_again() -> None:
    found = failure(stack("UPDATE_ROLLBACK_FAILED"), events(("Function", "UPDATE_FAILED", "no role")))
    assert "rolls back again" in str(found.hint)


def test_what_fails_to_go_is_the_cause_of_a_deletion() -> None:
    found = failure(stack("DELETE_FAILED"), events(("Bucket", "DELETE_FAILED", "not empty")))
    assert "Bucket (AWS::X::Y) could not be deleted: not empty" in str(found)
    assert found.hint == "mend it, then: medallion down"


def test_a_stack_that_fails_by_itself_gives_its_own_reason() -> None:
    found = failure(stack("ROLLBACK_COMPLETE", "Template error"), [])
    assert str(found) == "retail-dev-source is ROLLBACK_COMPLETE: Template error"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (
            'Resource handler returned message: "DB Instance class db.x9 not supported (Service: Rds, Status Code: 400, '
            'Request ID: 0a-1b) (SDK Attempt Count: 1)" (RequestToken: 77-88, HandlerErrorCode: InvalidRequest)',
            "DB Instance class db.x9 not supported (SDK Attempt Count: 1)",
        ),
        ("Bucket x already exists (Service: S3, Status Code: 409, Request ID: X)", "Bucket x already exists"),
        ("plain (with a bracket)", "plain (with a bracket)"),
    ],
)
def test_request_ids_are_left_out(reason: str, words: str) -> None:
    assert said(reason) == words
