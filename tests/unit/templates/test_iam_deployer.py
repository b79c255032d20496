"""The policies of who deploys, through the same linter as the roles'."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from medallion_cli.assets import Assets
from medallion_cli.operations import package
from medallion_cli.operations.deployer_policy import policies
from medallion_cli.operations.deployer_scopes import EVERYWHERE
from medallion_cli.operations.template import parse_template
from medallion_cli.operations.validation.deployment import simulate
from medallion_cli.operations.validation.iam_rules import Policy, policy_findings
from medallion_cli.settings import load_settings
from medallion_cli.spec import Pipeline

Document = dict[str, Any]
REASONS = tuple(pattern for pattern, _ in EVERYWHERE)


def documents_of(env: str, assets: Assets, pipeline: Pipeline) -> list[Document]:
    settings = load_settings(env, assets).model_copy(update={"prefix": f"retail-{env}"})
    rendered = package.render_templates(pipeline, assets, settings)
    templates = {stack: parse_template(body) for stack, body in rendered.items()}
    return [one.document for one in policies(simulate(settings, templates), "111122223333")]


def said(document: Document, prefix: str = "retail-dev") -> list[str]:
    policy = Policy("deployer", ("policy",), "identity", document, prefix=prefix, everywhere=REASONS)
    return [str(finding) for finding in policy_findings(policy)]


@pytest.mark.parametrize("env", ["dev", "prod"])
def test_the_deployers_policies_are_clean(env: str, assets: Assets, pipeline: Pipeline) -> None:
    documents = documents_of(env, assets, pipeline)
    assert documents
    assert [one for document in documents for one in said(document, f"retail-{env}")] == []


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ({"Action": "iam:PutRolePolicy", "Resource": "arn:aws:iam::111122223333:role/*"}, "MED-IAM-020"),
        ({"Action": "lambda:UpdateFunctionCode", "Resource": "arn:aws:lambda:*:111122223333:function:*"}, "MED-IAM-020"),
        ({"Action": "iam:PassRole", "Resource": "arn:aws:iam::111122223333:role/retail-dev-*"}, "MED-IAM-020"),
        ({"Action": "iam:*", "Resource": "arn:aws:iam::111122223333:role/retail-dev-*"}, "MED-IAM-011"),
        ({"Action": "s3:GetObject", "Resource": "*"}, "MED-IAM-016"),
        ({"Action": "iam:CreateUser", "Resource": "*"}, "MED-IAM-016"),
    ],
)  # fmt: skip
def test_what_reaches_beyond_the_environment_is_found(
    assets: Assets, pipeline: Pipeline, statement: Document, code: str
) -> None:
    document = copy.deepcopy(documents_of("dev", assets, pipeline)[0])
    document["Statement"].append({"Effect": "Allow", **statement})
    found = said(document)
    assert any(code in one for one in found), found
