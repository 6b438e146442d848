"""Versions of the Graph API: what is one, and what is none."""

from __future__ import annotations

import pytest

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.graph_api import is_version, parse_version


@pytest.mark.parametrize(("text", "parsed"), [("v25.0", (25, 0)), ("v9.12", (9, 12)), ("v100.0", (100, 0))])
def test_versions_are_numbers(text: str, parsed: tuple[int, int]) -> None:
    """A version is read as its two numbers, so that v9.0 comes before v10.0."""
    assert is_version(text)
    assert parse_version(text) == parsed


@pytest.mark.parametrize("text", ["", "25", "25.0", "v25", "V25.0", "v25.0/", "vv25.0", "v25.0\n", "v٢٥.0"])
def test_what_is_no_version(text: str) -> None:
    """Anything else is refused with the form to use."""
    assert not is_version(text)
    with pytest.raises(ConfigurationError, match=r"of the form v25\.0"):
        parse_version(text)
