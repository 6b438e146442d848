"""Compares the number of posts that Meta listed with the number in the account's profile."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.graph.messages import GraphRequest, Subject
from airflow_provider_iginsights.json_values import read_object, read_whole_number

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient

log: logging.Logger = logging.getLogger(__name__)

MAX_LISTED = 10_000
"""Meta lists no more media than this, so a longer listing cannot be compared."""

MIN_SHARE = 0.95
"""Below this share of the profile's count, the listing is remarked on."""


def compare_with_media_count(client: GraphClient, account_id: str, *, listed: int, left_out_log: LeftOutLog) -> bool:
    """Remark on a listing that is much shorter than the profile's count, and return whether there is no remark.

    Sends one request; its failure is ignored.
    """
    if listed >= MAX_LISTED:
        return False
    subject = Subject("account", account_id)
    try:
        answer = client.get(GraphRequest(account_id, {"fields": "media_count"}, subject), account_id=account_id)
    except InsightsError as error:
        log.debug("The media count of %s could not be read: %s", subject, error)
        return True
    count = read_whole_number((read_object(answer.body) or {}).get("media_count"))
    # No page says how many posts there are, so the count of the profile is the only check.
    if count and listed < MIN_SHARE * count:
        left_out_log.remark(
            f"account {account_id} ({listed} of {count})",
            "The posts",
            "Meta listed more than 5 % fewer than the profile counts.",
        )
        return False
    return True
