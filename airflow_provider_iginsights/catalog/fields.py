"""Which fields of Meta's nodes (accounts, media) a table is filled from, in a version of the Graph API.

A field of a node inside the node has a path: ``owner.id`` is asked for as ``owner{id}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_iginsights.catalog.columns import Table
from airflow_provider_iginsights.graph_api import parse_version


def list_fields(table: Table, version: str) -> tuple[str, ...]:
    """Return the fields that fill columns of the table and that this version knows, in table order."""
    known = parse_version(version)
    return tuple(
        column.field for column in table.columns if column.field and parse_version(column.field_since) <= known
    )


def format_fields(fields: Iterable[str]) -> str:
    """Return the text of the parameter ``fields``: ``id,owner{id},children{id,media_url}``."""
    inner: dict[str, list[str]] = {}
    for field in fields:
        node, _, name = field.partition(".")
        inner.setdefault(node, []).extend([name] if name else [])
    return ",".join(f"{node}{{{','.join(names)}}}" if names else node for node, names in inner.items())


def format_single_field(field: str) -> str:
    """Return the text of the parameter ``fields`` for one field and the ids."""
    node, _, name = field.partition(".")
    return format_fields(dict.fromkeys(("id", *((f"{node}.id",) if name else ()), field)))


def list_answered(nodes: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the fields that some of the nodes have, also those of the nodes inside."""
    names: set[str] = set().union(*nodes)
    for name in names & {"children", "owner"}:
        inner = (_list_inner(node.get(name)) for node in nodes)
        names |= {f"{name}.{each}" for found in inner for each in set().union(*found)}
    return names


def _list_inner(node: Any) -> list[Mapping[str, Any]]:
    """Return a node inside a node, or those of an edge."""
    if not isinstance(node, Mapping):
        return []
    listed = node.get("data")
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else [node]
