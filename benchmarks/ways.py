"""Ways to fetch the insights of posts: this provider's, a plain loop with requests, and the facebook-business SDK's.

Each takes the address of a Graph API, a token, account ids and a file, writes one JSON line per number and returns how
many it wrote. All ask for the same default metrics; a field expansion alone can only carry those that all posts share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import IO, Any

CORE = ("reach", "views", "likes", "comments", "shares", "saved", "total_interactions", "reposts")
METRICS = {
    "FEED": (*CORE, "follows", "profile_visits"),
    "REELS": (*CORE, "ig_reels_avg_watch_time", "ig_reels_video_view_total_time", "reels_skip_rate"),
}
FIELDS = (
    "id,media_type,media_product_type,caption,permalink,shortcode,username,timestamp,like_count,comments_count,alt_text,"
    "media_url,thumbnail_url,is_comment_enabled,is_shared_to_feed,ig_id,owner{id}"
)
VERSION = "v25.0"
WORKERS = 4

Way = Callable[[str, str, Sequence[str], IO[bytes]], int]


def with_provider(url: str, token: str, account_ids: Sequence[str], _out: IO[bytes]) -> int:
    """Read the media of all accounts with this provider, to the NDJSON that it loads into BigQuery."""
    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.tables import MEDIA, MEDIA_INSIGHTS
    from airflow_provider_iginsights.extract.account_pool import AccountPool

    row_files = {
        table.name: RowFile(
            TargetTable(table=table, project="benchmark", dataset="benchmark", table_id=table.default_id)
        )
        for table in (MEDIA, MEDIA_INSIGHTS)
    }
    with Readers(url, token) as source:
        pool = AccountPool(source.read_media(refresh_days=None), workers=WORKERS)
        for name, row in pool.read(account_ids):
            row_files[name].write(row)
    if pool.results.failed:
        raise next(iter(pool.results.failed.values()))
    rows = row_files[MEDIA_INSIGHTS.name].rows
    for row_file in row_files.values():
        row_file.close()
    return rows


def with_provider_accounts(url: str, token: str, account_ids: Sequence[str], out: IO[bytes]) -> int:
    """Read the daily account insights (one day and three before it), audience and profile with this provider."""
    from airflow_provider_iginsights.extract.account_pool import AccountPool

    rows = 0
    with Readers(url, token) as source:
        pool = AccountPool(source.read_accounts(lookback_days=3, profiles=True), workers=WORKERS)
        for name, row in pool.read(account_ids):
            rows += name == "account_insights"
            out.write(json.dumps(row, default=str).encode() + b"\n")
    if pool.results.failed:
        raise next(iter(pool.results.failed.values()))
    return rows


class Readers:
    """The provider's readers over a client, for the day that closed last."""

    def __init__(self, url: str, token: str) -> None:
        from airflow_provider_iginsights.graph.client import GraphClient
        from airflow_provider_iginsights.graph.settings import GraphSettings

        self._client = GraphClient(GraphSettings(token=token, base_url=url))

    def __enter__(self) -> Any:
        from airflow_provider_iginsights.extract.provenance import Provenance
        from airflow_provider_iginsights.task.source import Source
        from airflow_provider_iginsights.window import RunDates, resolve_window

        empty = dict.fromkeys(
            ("data_interval_start", "data_interval_end", "previous_success_end", "partition_date", "run_after")
        )
        facts = RunDates(**empty, logical_date=None)
        window = resolve_window(None, None, run=facts, now=datetime.now(UTC))
        return Source(client=self._client, window=window, provenance=Provenance(run_id="benchmark"))

    def __exit__(self, *_: object) -> None:
        self._client.close()


def with_requests(url: str, token: str, account_ids: Sequence[str], out: IO[bytes]) -> int:
    """Read as most scripts do: list the posts, then one call per post, one after the other, over one session."""
    import requests

    rows = 0
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"

        def get(path: str, **params: str) -> Any:
            answer = session.get(f"{url}/{VERSION}/{path}", params=params, timeout=60)
            answer.raise_for_status()
            return answer.json()

        for account_id in account_ids:
            after = {}
            while True:
                page = get(f"{account_id}/media", fields=FIELDS, limit="100", **after)
                for post in page["data"]:
                    metrics = ",".join(METRICS[post["media_product_type"]])
                    rows += _write(out, post["id"], get(f"{post['id']}/insights", metric=metrics)["data"])
                if "next" not in page.get("paging", {}):
                    break
                after = {"after": page["paging"]["cursors"]["after"]}
    return rows


def with_sdk_loop(url: str, token: str, account_ids: Sequence[str], out: IO[bytes]) -> int:
    """Read with the facebook-business SDK, one call per post."""
    rows = 0
    for post in _sdk_posts(url, token, account_ids, FIELDS):
        metrics = ",".join(METRICS[post["media_product_type"]])
        rows += _write(out, post["id"], post.get_insights(params={"metric": metrics}))
    return rows


def with_sdk_batch(url: str, token: str, account_ids: Sequence[str], out: IO[bytes]) -> int:
    """Read with the facebook-business SDK, 50 posts per batch."""
    from facebook_business.api import FacebookAdsApi

    rows, waiting = 0, []
    for post in _sdk_posts(url, token, account_ids, FIELDS):
        waiting.append(post)
        if len(waiting) == 50:
            rows += _sdk_batch(FacebookAdsApi.get_default_api(), waiting, out)
            waiting = []
    return rows + (_sdk_batch(FacebookAdsApi.get_default_api(), waiting, out) if waiting else 0)


def with_sdk_expansion(url: str, token: str, account_ids: Sequence[str], out: IO[bytes]) -> int:
    """Read with the facebook-business SDK, the shared metrics inside the listing; the others are not asked."""
    rows = 0
    for post in _sdk_posts(url, token, account_ids, f"{FIELDS},insights.metric({','.join(CORE)})"):
        rows += _write(out, post["id"], post["insights"]["data"])
    return rows


def _sdk_posts(url: str, token: str, account_ids: Sequence[str], fields: str) -> Iterator[Any]:
    from facebook_business.adobjects.iguser import IGUser
    from facebook_business.api import FacebookAdsApi
    from facebook_business.session import FacebookSession

    FacebookSession.GRAPH = url
    FacebookAdsApi.init(access_token=token, api_version=VERSION)
    for account_id in account_ids:
        yield from IGUser(account_id).get_media(fields=[fields], params={"limit": "100"})


def _sdk_batch(api: Any, posts: Iterable[Any], out: IO[bytes]) -> int:
    rows = 0

    def keep(answer: Any) -> None:
        nonlocal rows
        entries = answer.json()["data"]
        rows += _write(out, entries[0]["id"].partition("/")[0], entries)

    batch = api.new_batch()
    for post in posts:
        metrics = ",".join(METRICS[post["media_product_type"]])
        post.get_insights(params={"metric": metrics}, batch=batch, success=keep)
    batch.execute()
    return rows


def _write(out: IO[bytes], media_id: str, entries: Iterable[Any]) -> int:
    rows = 0
    for entry in entries:
        row = {"media_id": media_id, "metric": entry["name"], "value": entry["values"][0]["value"]}
        out.write(json.dumps(row).encode() + b"\n")
        rows += 1
    return rows


WAYS: dict[str, Way] = {
    "this provider": with_provider,
    "requests, loop": with_requests,
    "SDK, loop": with_sdk_loop,
    "SDK, batch": with_sdk_batch,
    "SDK, expansion": with_sdk_expansion,
    "this provider, account insights": with_provider_accounts,
}
