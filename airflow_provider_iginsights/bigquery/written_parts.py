"""Remembers which staged parts a task has written, so that a later try need not find them staged any more.

Once a task has written the parts that others staged, it drops them. When one of these others is cleared, and this task
with it, the parts of all the rest are gone, and must not be taken for lost. So a task that has written notes which
parts they were: as the text of a query job without a table, which bills nothing, under an id that a later try of the
task knows. BigQuery keeps jobs for six months.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.identifiers import literal
from airflow_provider_iginsights.bigquery.job_ids import job_id
from airflow_provider_iginsights.bigquery.predecessors import find_jobs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.staged_rows import StagedPart
    from airflow_provider_iginsights.bigquery.target import TargetTable

_PAYLOAD = hashlib.sha256(b"written parts").hexdigest()
_LISTED = re.compile(r"SELECT '([0-9a-f,]*)' AS written_parts")
MAX_PARTS = 50_000
"""More do not fit into the text of one query, which may have 1 MB."""


def record_written(target: TargetTable, parts: Iterable[StagedPart], *, session: BigQuerySession) -> None:
    """Note that these parts stand in their targets.

    :param target: any of the targets, always the same for one task.
    """
    keys = sorted(part.key for part in parts)
    for at in range(0, len(keys), MAX_PARTS):
        # A query without a table bills no bytes, and jobs are listed for six months ("Managing jobs").
        sql = f"SELECT {literal(','.join(keys[at : at + MAX_PARTS]))} AS written_parts"
        session.query(target, verb="record", sql=sql, payload=_PAYLOAD, doing="note which staged rows are written")


def find_written(target: TargetTable, *, session: BigQuerySession) -> frozenset[str]:
    """Return the keys of the parts that this task has noted, in this try and in those before it."""
    return frozenset(key for text in _read(target, session=session) for key in text.split(",") if key)


def _read(target: TargetTable, *, session: BigQuerySession) -> Iterator[str]:
    for try_number in range(1, session.identity.try_number + 1):
        first_id = job_id("record", ti=session.ti(target), try_number=try_number, payload=_PAYLOAD)
        for job in find_jobs(first_id, target=target, session=session):
            if job.job_type == "query" and job.state == "DONE" and not job.error_result:
                yield from _LISTED.findall(job.query)
