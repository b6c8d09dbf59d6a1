"""One console and one browser for all tests of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.console.browsers import browser
from tests.console.serving import Served, served
from tests.provider import Provider


@pytest.fixture(scope="session")
def running_console(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(provider, tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as running:
        yield running
