"""Names of staging tables, jobs and labels."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_iginsights.bigquery import identifiers, job_ids
from airflow_provider_iginsights.catalog.tables import ACCOUNTS, MEDIA
from tests.support.bigquery import rows


def test_the_task_hash_holds_the_target_and_not_the_try() -> None:
    """Two tables of one task never share job ids; two tries of one task share the prefix."""
    identity = rows.identity()
    media, accounts = rows.target(MEDIA), rows.target(ACCOUNTS)
    hashes = [job_ids.task_hash(identity, target=each) for each in (media, accounts)]
    assert hashes[0] != hashes[1]
    assert re.fullmatch(r"[0-9a-f]{16}", hashes[0])
    for changed in ({"dag_id": "x"}, {"run_id": "x"}, {"map_index": 3}, {"deployment": "x"}, {"task_id": "x"}):
        assert job_ids.task_hash(replace(identity, **changed), target=media) != hashes[0]
    assert job_ids.task_hash(replace(identity, try_number=9), target=media) == hashes[0]
    elsewhere = replace(media, dataset="other")
    assert job_ids.task_hash(identity, target=elsewhere) != hashes[0]


def test_names_begin_with_what_the_next_try_looks_for() -> None:
    """Job ids and staging tables are found by their prefix; ids hold the payload."""
    job = job_ids.job_id("merge", ti="0123456789abcdef", try_number=2, payload="f" * 64)
    assert job == f"iginsights-merge-0123456789abcdef-2-{'f' * 12}"
    assert job.startswith(job_ids.job_prefix("merge", ti="0123456789abcdef"))
    staging = job_ids.staging_id("t_1", ti="0123456789abcdef", try_number=2, payload="f" * 64, nonce="aa")
    assert staging == f"t_1__stg_0123456789abcdef_2_{'f' * 12}_aa"
    found = job_ids.staging_jobs(staging, table_id="t_1", ti="0123456789abcdef")
    uses = ("load", "copy", "merge", "correct")
    assert set(found) == {f"iginsights-{verb}-0123456789abcdef-2-{'f' * 12}" for verb in uses}
    assert staging.startswith(job_ids.staging_prefix("t_1", ti="0123456789abcdef"))


@given(st.dictionaries(st.text(min_size=1, max_size=80), st.text(max_size=80), max_size=5))
def test_labels_obey_the_grammar(labels: dict[str, str]) -> None:
    """Whatever the user writes, BigQuery takes it: lower case, 63 characters, a letter first."""
    for key, value in identifiers.sanitised_labels(labels).items():
        assert re.fullmatch(r"[^\W\d_][\w-]{0,62}", key)
        assert re.fullmatch(r"[\w-]{0,63}", value)
        assert (key, value) == (key.lower(), value.lower())
