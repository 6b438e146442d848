"""The wire to Meta: one client for the Instagram Graph API that knows hosts, limits, faults and pages, and no metric.

Start at ``client.GraphClient``; ``settings.GraphSettings`` says where it goes and as whom. ``GraphRequest`` can be
imported from here; it is loaded when it is asked for, since Airflow may load this package half-initialised.
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
