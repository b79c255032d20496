"""Status and doctor where nothing can be asked: they say why, start nothing, and a watch goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.text import Text
from test_doctor import Watched, diagnosis

from medallion_cli.aws.errors import Asked, refused, unreached
from medallion_cli.cli import main
from medallion_cli.commands import health, local
from medallion_cli.console import Terminal
from medallion_cli.errors import AwsError
from medallion_cli.operations import deploy
from medallion_cli.settings import Settings
from medallion_cli.spec import Pipeline

COMMANDS = ("status", "doctor")
ASKED = Asked("cloudformation", "DescribeStacks", Settings(env="dev", prefix="shop"))


def said(code: str, message: str) -> AwsError:
    from botocore.exceptions import ClientError

    return refused(ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks"), ASKED)


def silent() -> AwsError:
    from botocore.exceptions import EndpointConnectionError

    return unreached(EndpointConnectionError(endpoint_url="https://cloudformation.eu.amazonaws.com/"), ASKED)


REFUSALS: dict[str, tuple[AwsError, str, str]] = {
    "credentials are expired": (said("ExpiredToken", "The security token is expired"), "MED-ENV-001", "aws sso login"),
    "there are none": (AwsError("NoCredentialsError", "Unable to locate credentials"), "MED-ENV-001", "aws "),
    "the profile is unknown": (AwsError("ProfileNotFound", "(x) could not be found"), "MED-ENV-001", "aws "),
    "the key is wrong": (said("SignatureDoesNotMatch", "The signature we calculated differs"), "MED-ENV-001", "aws sts"),
    "not permitted": (said("AccessDenied", "no"), "MED-ENV-001", "ask for cloudformation:DescribeStacks"),
    "the clock is behind": (
        said("SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than 20260101T000100Z"),
        "MED-ENV-002", "sudo timedatectl",
    ),
    "the clock is ahead": (
        said("InvalidSignatureException", "Signature not yet current: 20260101T000000Z is still later than"),
        "MED-ENV-002", "sudo timedatectl",
    ),
    "the request is too old": (said("RequestExpired", "Request has expired."), "MED-ENV-002", "sudo timedatectl"),
    "no network": (silent(), "MED-ENV-015", "check the network"),
    "too many questions": (said("Throttling", "Rate exceeded"), "MED-ENV-015", "wait a minute"),
}  # fmt: skip


def ends(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main([*words])
    code = stop.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("situation", REFUSALS)
def test_a_refusal_is_a_finding(
    situation: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error, code, remedy = REFUSALS[situation]

    def outputs(_: Any) -> dict[str, str]:
        raise error

    monkeypatch.setattr(deploy, "outputs", outputs)
    assert ends("--env", "dev", "-o", "json", command) == 3
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert (found["code"], found["remedy"].startswith(remedy)) == (code, True), found


@pytest.mark.parametrize("command", COMMANDS)
def test_a_refusal_is_shown(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def outputs(_: Any) -> dict[str, str]:
        raise REFUSALS["the clock is behind"][0]

    monkeypatch.setattr(deploy, "outputs", outputs)
    assert ends("--env", "dev", command) == 3
    assert "MED-ENV-002 this machine's clock differs from AWS's" in capsys.readouterr().out


def test_a_clock_that_aws_refuses_ends_the_look(watched: Watched, pipeline: Pipeline) -> None:
    watched.refusals["sts.get_caller_identity"] = REFUSALS["the clock is behind"][0]
    assert [one.code for one in diagnosis(watched, pipeline).findings] == ["MED-ENV-002"]


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.mark.parametrize("command", COMMANDS)
def test_what_was_never_up_is_not_started(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEDALLION_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(local, "reach", lambda _: pytest.fail("it is started"))
    assert ends("-o", "json", command) == 3
    assert "MED-ENV-014" in [one["code"] for one in json.loads(capsys.readouterr().out)["findings"]]
    assert [*tmp_path.rglob("*")] == []


def test_an_aws_environment_that_was_never_up_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deploy, "outputs", lambda _: {})
    for command in COMMANDS:
        assert ends("--env", "dev", "-o", "json", command) == 3
        assert [one["code"] for one in json.loads(capsys.readouterr().out)["findings"]] == ["MED-ENV-014"]


def frames(monkeypatch: pytest.MonkeyPatch, most: int, *words: str) -> tuple[list[str], list[float]]:
    """What a watch shows until Ctrl-C, and how long it waits in between."""
    shown: list[str] = []
    waits: list[float] = []

    def take(_: Terminal, given: Iterator[list[Text]]) -> None:
        for frame in given:
            shown.append("\n".join(line.plain for line in frame))
            if len(shown) == most:
                return

    monkeypatch.setattr(Terminal, "watch", take)
    monkeypatch.setattr(health, "time", SimpleNamespace(sleep=waits.append))
    assert ends(*words, "status", "--watch") == 0
    return shown, waits


def test_a_watch_goes_on_after_an_error_and_asks_no_oftener_than_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: Iterator[Callable[[], Any]] = iter([lambda: {}, silent, lambda: {}])

    def outputs(_: Any) -> Any:
        found = next(answers)()
        if isinstance(found, AwsError):
            raise found
        return found

    monkeypatch.setattr(deploy, "outputs", outputs)
    shown, waits = frames(monkeypatch, 3, "--env", "dev")
    assert ["MED-ENV-014" in shown[0], "MED-ENV-015" in shown[1], "MED-ENV-014" in shown[2]] == [True] * 3
    assert waits == [10, 10]


def test_a_watch_starts_no_daemon_and_finds_one_that_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medallion_cli.operations.doctor.catalogue import finding

    gone = finding("MED-ENV-010", "no daemon")
    answers = iter([[], [gone], []])
    ports = iter(range(1, 9))
    asked: list[Any] = []
    monkeypatch.setenv("MEDALLION_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(local, "away", lambda _: next(answers))
    monkeypatch.setattr(health, "_look", lambda call, _: [gone, asked.append(call.target.endpoint_url)][:1])
    monkeypatch.setattr(
        local,
        "reach",
        lambda _: type("E", (), {"url": f"http://127.0.0.1:{next(ports)}", "credentials": None})(),
    )
    shown, _ = frames(monkeypatch, 3)
    assert all("MED-ENV-010" in one for one in shown)
    assert asked == ["http://127.0.0.1:1", "http://127.0.0.1:2"]
