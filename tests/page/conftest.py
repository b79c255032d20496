"""Chromium from the system, driven by Playwright, and the page of made-up sales."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from made_up_sales import ASSETS, NOW, PIPELINE, Gold
from playwright.sync_api import Browser, sync_playwright

from medallion_cli.dashboard import load_dashboard
from medallion_cli.operations.dashboard import answers
from medallion_cli.operations.dashboard_page import page
from medallion_cli.operations.dashboard_slices import cubes


@pytest.fixture(scope="session")
def html() -> str:
    """The page of the shipped dashboard over made-up sales."""
    gold: Any = Gold()
    found = answers(gold, ASSETS, PIPELINE)
    return page(found, PIPELINE, NOW, dashboard=load_dashboard(ASSETS), cubes=cubes(gold, found))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium; where there is none the tests are left out."""
    found = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "google-chrome"))), None
    )
    if found is None:
        pytest.skip("no Chromium")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.getuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=found, args=[*flags, "--disable-dev-shm-usage"])
        yield chromium
        chromium.close()
