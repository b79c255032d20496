"""Fixtures of the CloudFormation engine's tests."""

from __future__ import annotations

import pytest
from fake_cloud import Account, Cloud


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def account(cloud: Cloud) -> Account:
    return Account(cloud)
