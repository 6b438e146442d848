"""A primary key as a table's metadata claims it."""

from __future__ import annotations

from typing import Any


def claim_key(table: Any, *columns: str) -> None:
    """Let a table of google-cloud-bigquery claim a primary key; the oldest client that is supported only reads one."""
    table._properties["tableConstraints"] = {"primaryKey": {"columns": list(columns)}}
