"""What things are called in BigQuery: checked and quoted paths, staging tables, job ids, labels.

A name is either checked or built here, so no other module puts a user's text into SQL or into a resource path.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Literal

from airflow_provider_iginsights.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_iginsights.bigquery.destination import Destination, TaskIdentity

Part = Literal["project", "dataset", "table"]
Verb = Literal["load", "merge", "verify", "heal", "alter", "erase"]

STAGING_MARK = "__stg_"
_LABEL_LENGTH = 63

GRAMMAR: dict[Part, tuple[re.Pattern[str], str]] = {
    "project": (
        re.compile(r"(?:[a-z0-9.-]{1,63}:)?[a-z][a-z0-9-]{0,62}"),
        "A project id holds lower-case letters, digits and hyphens.",
    ),
    "dataset": (re.compile(r"[A-Za-z0-9_]{1,1024}"), "A dataset id holds letters, digits and underscores, no project."),
    "table": (
        re.compile(r"[\w -]{1,900}"),
        "A table id holds letters, digits, underscores, hyphens and spaces, without project, dataset or partition.",
    ),
}


def checked(text: str, *, part: Part) -> str:
    """Return ``text`` if it is a valid id of a project, dataset or table; raise ConfigurationError if not."""
    pattern, rule = GRAMMAR[part]
    if isinstance(text, str) and pattern.fullmatch(text):
        return text
    raise ConfigurationError(f"{text!r} is not a BigQuery {part} id. {rule}")


def quoted(name: str) -> str:
    """Return a checked path or a column name in back-quotes."""
    return f"`{name}`"


def literal(text: str) -> str:
    """Return ``text`` as a GoogleSQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def task_hash(identity: TaskIdentity, *, destination: Destination) -> str:
    """Return the ``ti``: 16 hex digits that name this task instance and this target, whatever the try.

    The target is part of it: two tables of one task would otherwise share job ids, and the second would re-attach to
    the first one's finished job and write nothing.
    """
    facts = (identity.deployment, identity.dag_id, identity.task_id, identity.run_id, str(identity.map_index))
    return hashlib.sha256("|".join((*facts, destination.path)).encode()).hexdigest()[:16]


def staging_prefix(table_id: str, *, ti: str) -> str:
    """Return how the staging tables of all tries of one task instance begin."""
    return f"{table_id}{STAGING_MARK}{ti}_"


def staging_id(table_id: str, *, ti: str, try_number: int, payload: str, nonce: str) -> str:
    """Return the staging table of one try.

    It tells the payload, and so the job ids of its try; ``nonce`` keeps it unique where try numbers begin again after
    a clear.
    """
    return f"{staging_prefix(table_id, ti=ti)}{try_number}_{payload[:12]}_{nonce}"


def staging_jobs(staging: str, *, table_id: str, ti: str) -> tuple[str, ...]:
    """Return the first ids of the jobs that can be using a staging table, given its table id."""
    try_number, payload, *_ = staging.removeprefix(staging_prefix(table_id, ti=ti)).split("_")
    return tuple(f"{job_prefix(verb, ti=ti)}{try_number}-{payload}" for verb in ("load", "merge"))


def job_prefix(verb: Verb, *, ti: str) -> str:
    """Return how the job ids of all tries of one task instance begin."""
    return f"iginsights-{verb}-{ti}-"


def job_id(verb: Verb, *, ti: str, try_number: int, payload: str) -> str:
    """Return a job id that is the same whenever the same try sends the same payload (a hash in hex digits)."""
    return f"{job_prefix(verb, ti=ti)}{try_number}-{payload[:12]}"


def label_text(text: str) -> str:
    """Return ``text`` in BigQuery's label grammar: at most 63 lower-case letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^\w-]", "_", text.lower())[:_LABEL_LENGTH]


def label_key(text: str) -> str:
    """Return ``text`` as a label key, which moreover begins with a letter."""
    key = label_text(text)
    return key if key[:1].isalpha() else label_text(f"l_{key}")


def sanitised_labels(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return labels that BigQuery accepts; later pairs win."""
    return {label_key(key): label_text(value) for key, value in dict(pairs).items()}
