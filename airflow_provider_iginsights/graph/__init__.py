"""A client for the Instagram Graph API: hosts, rate limits, errors and paging. It knows no metric.

Start at ``client.GraphClient``; ``settings.GraphSettings`` holds its host, token and limits. ``GraphRequest`` can be
imported from this package. It is loaded on first use, so that importing the package stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.messages import GraphRequest as GraphRequest

__all__ = ["GraphRequest"]


def __getattr__(name: str) -> object:
    """Return ``GraphRequest``.

    :raises AttributeError: for any other name.
    """
    if name == "GraphRequest":
        return getattr(import_module("airflow_provider_iginsights.graph.messages"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
