"""The fixture for impatient waits, shared with the transfers."""

from __future__ import annotations

import pytest


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try as often as users would, without their waits in between."""
    monkeypatch.setattr("airflow_provider_iginsights.graph.retry._back_off", lambda _: 0.0)
