"""The rows about what a try left out: a few examples of each reason, with a piece of Meta's answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.catalog.run_tables import LEFT_OUT, LEFT_OUT_DAYS
from airflow_provider_iginsights.extract.fragments import redact_fragment
from airflow_provider_iginsights.extract.left_out_examples import LeftOutExamples
from airflow_provider_iginsights.graph.redact import escape, redact

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.extract.left_out import LeftOutLog
    from airflow_provider_iginsights.task.source import Source


def keep_examples(source: Source) -> None:
    """Let examples of what is left out from now on be kept."""
    source.left_out_log.examples = LeftOutExamples(partial(_redact, source))


def _redact(source: Source, raw: Any) -> str:
    settings = source.client.settings
    secrets = (settings.token, settings.app_secret, settings.make_appsecret_proof())
    return redact_fragment(raw, protection=source.protection, secrets=secrets)


def describe_left_out(log: LeftOutLog, *, task: Mapping[str, Any], now: datetime) -> Iterator[dict[str, Any]]:
    """Yield a row for each example.

    :param task: the columns that say whose run it is.
    """
    for example, count in log.examples.list_all() if log.examples else ():
        yield {
            **task,
            "account_id": example.account_id,
            "reason": example.kind,
            "what": example.what,
            "object": example.whom,
            "explanation": escape(redact(example.why)),
            "count": count,
            "fragment": example.fragment,
            "fetched_at": now,
        }


def limit_days(target: TargetTable) -> TargetTable:
    """Return the table of what was left out with the days after which its rows go; any other as it is."""
    if target.table != LEFT_OUT or target.options.partition_expiration_days:
        return target
    return replace(target, options=replace(target.options, partition_expiration_days=LEFT_OUT_DAYS))
