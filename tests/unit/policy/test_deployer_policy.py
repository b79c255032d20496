"""Who deploys may do what the templates and the tool need, on this environment's resources, and nothing more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medallion_cli.assets import Assets
from medallion_cli.cli import main
from medallion_cli.operations import own_calls
from medallion_cli.operations.deployer_policy import LARGEST, Policy, actions, policies, reason
from medallion_cli.operations.package import render_templates
from medallion_cli.operations.template import parse_template
from medallion_cli.operations.validation import iam_reference, physical
from medallion_cli.operations.validation.deployment import Deployment, simulate
from medallion_cli.operations.validation.iam_rules import Policy as Linted
from medallion_cli.operations.validation.iam_rules import policy_findings
from medallion_cli.settings import load_settings
from medallion_cli.spec import load_pipeline

ROOT = Path(__file__).parents[3]
ACCOUNT = physical.ACCOUNT
# The linter's rules for what runs: a role must not change rights, and it has its own list of reasons for `*`.
NOT_FOR_PEOPLE = {"MED-IAM-020", "MED-IAM-016"}


@pytest.fixture(scope="module", params=["dev", "prod"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    assets = Assets.find(ROOT)
    pipeline = load_pipeline(assets)
    settings = load_settings(request.param, assets).model_copy(update={"prefix": f"retail-{request.param}"})
    bodies = render_templates(pipeline, assets, settings)
    return simulate(settings, {stack: parse_template(body) for stack, body in bodies.items()})


@pytest.fixture(scope="module")
def made(deployment: Deployment) -> list[Policy]:
    return policies(deployment, ACCOUNT)


def statements(made: list[Policy]) -> Iterator[dict[str, Any]]:
    for policy in made:
        yield from policy.document["Statement"]


def test_each_policy_fits_the_size_of_a_managed_one_and_a_role_takes_them_all(made: list[Policy]) -> None:
    assert all(len(policy.text) <= LARGEST for policy in made)
    assert len(made) <= 10  # IAM's default quota of managed policies a role


def test_iams_linter_finds_nothing(made: list[Policy]) -> None:
    documents = [Linted("deployer", (policy.name,), "identity", policy.document) for policy in made]
    found = [finding for document in documents for finding in policy_findings(document)]
    assert [str(finding) for finding in found if finding.code not in NOT_FOR_PEOPLE] == []


def test_no_action_is_a_wildcard_and_every_one_exists(made: list[Policy]) -> None:
    named = [action for statement in statements(made) for action in statement["Action"]]
    assert [action for action in named if "*" in action or not iam_reference.exists(action)] == []


def test_everything_is_allowed_only_where_aws_has_no_resource_level_and_the_reason_is_said(
    made: list[Policy],
) -> None:
    everywhere = [action for s in statements(made) if s["Resource"] == "*" for action in s["Action"]]
    assert everywhere
    assert [action for action in everywhere if iam_reference.resource_patterns(action)] == []
    assert [action for action in everywhere if reason(action) is None] == []


def test_resources_are_this_environments_or_of_kinds_that_aws_names_itself(
    made: list[Policy], deployment: Deployment
) -> None:
    """A name that the environment does not give is one that AWS makes up: ids of keys, networks, DMS, Redshift Serverless."""
    prefix = str(deployment.settings.prefix)
    by_aws = (
        r":(kms:.*:key|ec2:.*:[\w-]+|dms:.*:(cert|endpoint|rep|task)|redshift(-serverless)?:.*:[a-z]+)[/:]\*$"
    )
    ours = (
        rf"{prefix}|{prefix.replace('-', '_')}|:secret:\w+Secret-\*|:catalog$|dms-(vpc|cloudwatch-logs)-role"
    )
    fixed = r"og:default:\*|vpc/L-F678F1CE|:account/|aws-service-role/\*"
    arns = {arn for s in statements(made) if s["Resource"] != "*" for arn in s["Resource"]}
    assert [arn for arn in sorted(arns) if not re.search(rf"{by_aws}|{ours}|{fixed}", arn)] == []


def test_roles_are_passed_only_to_services_that_trust_them(made: list[Policy]) -> None:
    (passing,) = [s for s in statements(made) if "iam:PassRole" in s["Action"]]
    assert passing["Action"] == ["iam:PassRole"]
    services = passing["Condition"]["StringEquals"]["iam:PassedToService"]
    assert {"lambda.amazonaws.com", "states.amazonaws.com", "glue.amazonaws.com"} <= set(services)
    assert all(service.endswith(".amazonaws.com") for service in services)


def test_only_managed_policies_of_the_templates_are_attached(made: list[Policy]) -> None:
    for statement in statements(made):
        if "iam:AttachRolePolicy" in statement["Action"]:
            named = statement["Condition"]["ArnEquals"]["iam:PolicyARN"]
            assert "arn:aws:iam::aws:policy/service-role/AmazonDMSVPCManagementRole" in named
            assert not any("Administrator" in arn for arn in named)


def test_everything_that_the_tool_asks_for_is_allowed(made: list[Policy]) -> None:
    named = {action for statement in statements(made) for action in statement["Action"]}
    assert own_calls.actions() - named == set()


def test_every_resource_of_the_templates_can_be_made_under_its_own_name(
    made: list[Policy], deployment: Deployment
) -> None:
    """ARNs as AWS will give them, of all types whose form is known."""
    arns = [one for s in statements(made) if s["Resource"] != "*" for one in s["Resource"]]
    refused = []
    for stack in deployment.stacks.values():
        for logical, resource in stack.resources.items():
            kind, properties = str(resource["Type"]), resource.get("Properties", {})
            if kind not in physical.ARNS or kind in (
                "AWS::SecretsManager::Secret",
                "AWS::Scheduler::Schedule",
            ):
                continue  # named by AWS in another way than is made up here
            place = f"{deployment.settings.prefix}-{stack.name}/{logical}"
            arn = str(physical.arn(place, deployment.settings.region, kind, properties))
            if not any(iam_reference.matches(one, arn) for one in arns):
                refused.append(arn)
    assert refused == []


def test_features_that_no_template_uses_are_left_out(deployment: Deployment) -> None:
    asked = actions({name: stack.template for name, stack in deployment.stacks.items()})
    assert {
        "s3:PutBucketWebsite",
        "rds:CreateDBInstanceReadReplica",
        "iam:PutRolePermissionsBoundary",
    } & asked == set()
    assert not any(
        action.startswith(("s3tables:", "docdb-elastic:", "firehose:", "vpc-lattice:")) for action in asked
    )
    assert {"s3:PutLifecycleConfiguration", "rds:CreateDBSnapshot", "dms:CreateReplicationInstance"} <= asked


def test_an_oversized_statement_is_cut_and_nothing_is_lost(
    deployment: Deployment, made: list[Policy]
) -> None:
    named = [action for statement in statements(made) for action in statement["Action"]]
    asked = actions({name: stack.template for name, stack in deployment.stacks.items()})
    assert sorted(named) == sorted(asked)


def test_the_command_writes_a_file_for_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--env", "dev", "policy", "--account", ACCOUNT, "--folder", str(tmp_path)])
    assert ended.value.code == 0
    files = sorted(tmp_path.glob("*.json"))
    assert [path.name for path in files] == [f"retail-dev-deployer-{n + 1}.json" for n in range(len(files))]
    assert all(json.loads(path.read_text())["Version"] == "2012-10-17" for path in files)
    assert capsys.readouterr().err.count("aws iam create-policy") == len(files)


@pytest.mark.parametrize(
    "words", [["--env", "local", "policy"], ["--env", "dev", "policy", "--account", "12"]]
)
def test_what_makes_no_sense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
