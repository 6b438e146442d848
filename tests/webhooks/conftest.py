"""The marker of the tests that start a whole Airflow: they run when they are asked for by ``-m live_airflow``."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the live tests alone unless the command line names their marker."""
    if "live_airflow" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("live_airflow"):
            item.add_marker(pytest.mark.skip(reason="starts a whole Airflow: pytest -m live_airflow"))


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "live_airflow: starts a whole Airflow (a minute or two)")
