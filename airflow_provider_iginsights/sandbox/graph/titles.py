"""The title and the description that go with each metric in an answer."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["entry"]

TITLES: Mapping[str, tuple[str, str]] = {
    "reach": ("Accounts reached", "The number of unique accounts that have seen your content, at least once."),
    "impressions": ("Impressions", "Total number of times this profile has been seen"),
    "profile_views": (
        "Profile Views",
        "Total number of unique accounts that have viewed this profile within the specified period",
    ),
    "follower_count": ("Follower Count", "Total number of unique accounts following this profile"),
    "online_followers": ("Online Followers", "Total number of this profile's followers that were online"),
    "navigation": ("Navigation", "This is the total number of actions taken from your story."),
    "engagement": ("Engagement", "Total number of likes and comments on the media object"),
}


def entry(
    object_id: str, metric: str, period: str, *, values: object = None, total_value: object = None
) -> dict[str, object]:
    """Return one entry of an insights answer, its keys in Meta's order."""
    title, description = TITLES.get(metric) or (metric.replace("_", " ").capitalize(), f"The value of {metric}.")
    answer: dict[str, object] = {"name": metric, "period": period}
    if values is not None:
        answer["values"] = values
    answer |= {"title": title, "description": description}
    if total_value is not None:
        answer["total_value"] = total_value
    answer["id"] = f"{object_id}/insights/{metric}/{period}"
    return answer
