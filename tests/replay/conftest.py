"""Every test has a cache of its own for the catalogs."""

from __future__ import annotations

import pytest

from sluicegate_replay.catalog.place import VARIABLE


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """The folder in which catalogs are kept."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder
