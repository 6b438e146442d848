"""Every metric of posts, reels and stories Meta has had since v10.0, one row each: lifetime totals without a date.

Sources: Meta's Instagram Media Insights reference and changelog, and what the live API was seen to answer in 2026.
"""

from __future__ import annotations

from datetime import date
from functools import partial

from airflow_provider_iginsights.catalog.metrics import FACEBOOK_ONLY, Continuation, Metric

FEED, REELS, STORY = "FEED", "REELS", "STORY"
_EVERYWHERE = (FEED, REELS, STORY)
_POSTS = (FEED, REELS)
_PROFILE = (FEED, STORY)
_DECEMBER_2025 = "2025-12-03"
_APRIL_2026 = "2026-04-22"

_JANUARY_2025 = "2025-01-21"
# Why a metric and its successor make no series: by Meta's definitions of both ("Instagram Media Insights", its copies
# of v18.0 and v22.0 for the metrics that ended then).
_IMPRESSIONS = Continuation("views", _JANUARY_2025, "impressions counted displays, views counts plays and displays")
_VIDEO_VIEWS = Continuation(
    "views", _JANUARY_2025, "video_views counted videos that were seen, views counts plays and displays"
)
_INTERACTIONS = Continuation("total_interactions", "v14.0", "engagement left out shares")
_ALBUM_INTERACTIONS = Continuation("total_interactions", "v14.0", "it left out saves and shares")
# No page of Meta's compares these with what continues them, so no difference is claimed, and no likeness either.
_NOBODY_SAYS = "Meta does not say that both count the same"

_Media = partial(Metric, level="media", metric_type="default", periods=("lifetime",))
_Reels = partial(_Media, product_types=(REELS,))
_Story = partial(_Media, product_types=(STORY,))
_Played = partial(_Reels, retired="v22.0", removed_on=date(2025, 4, 21))
_Legacy = partial(_Media, retired="v18.0", removed_on=date(2023, 12, 11))
_Tap = partial(_Legacy, product_types=(STORY,))
_Album = partial(_Legacy, product_types=(FEED,), selection="named")
_Sdk14 = partial(_Media, product_types=(FEED,), introduced="v14.0", retired="v15.0", selection="named")


def _continue_tap(action: str) -> Continuation:
    return Continuation(f"navigation with breakdown story_navigation_action_type ({action})", "v14.0", _NOBODY_SAYS)


MEDIA_METRICS: tuple[Metric, ...] = (
    _Media(name="reach", product_types=_EVERYWHERE),
    _Media(name="views", product_types=_EVERYWHERE, introduced=_JANUARY_2025),
    _Media(name="likes", product_types=_POSTS, introduced="v13.0"),
    _Media(name="comments", product_types=_POSTS, introduced="v13.0"),
    _Media(name="shares", product_types=_EVERYWHERE, introduced="v13.0"),
    _Media(name="saved", product_types=_POSTS),
    _Media(name="total_interactions", product_types=_EVERYWHERE, introduced="v14.0"),
    _Media(name="reposts", product_types=_EVERYWHERE, introduced=_DECEMBER_2025),
    _Media(name="follows", product_types=_PROFILE, introduced="v15.0"),
    _Media(name="profile_visits", product_types=_PROFILE, introduced="v15.0"),
    _Media(
        name="profile_activity",
        product_types=(FEED,),
        introduced="v15.0",
        breakdowns=("action_type",),
        default_breakdowns=("action_type",),
        # Not by default: its breakdown costs a request for each post.
        selection="all",
    ),
    _Story(
        name="profile_activity", introduced="v15.0", breakdowns=("action_type",), default_breakdowns=("action_type",)
    ),
    _Story(
        name="navigation",
        introduced="v14.0",
        breakdowns=("story_navigation_action_type",),
        default_breakdowns=("story_navigation_action_type",),
    ),
    _Story(name="replies"),
    _Story(name="link_clicks", introduced="2026-06-22", logins=FACEBOOK_ONLY),
    _Reels(name="ig_reels_avg_watch_time", introduced="v18.0", unit="milliseconds"),
    _Reels(name="ig_reels_video_view_total_time", introduced="v18.0", unit="milliseconds"),
    _Reels(name="reels_skip_rate", introduced=_DECEMBER_2025, unit="percent"),
    # Refused for most posts, so each has a request of its own: a refusal costs no other metric (META-16).
    _Reels(name="crossposted_views", introduced=_DECEMBER_2025, alone=True, selection="all"),
    _Reels(name="facebook_views", introduced=_DECEMBER_2025, alone=True, selection="all"),
    _Media(name="facebook_views", product_types=_PROFILE, introduced=_APRIL_2026, alone=True, selection="all"),
    _Media(name="total_likes", product_types=_POSTS, introduced=_APRIL_2026, logins=FACEBOOK_ONLY, selection="all"),
    _Media(name="total_comments", product_types=_POSTS, introduced=_APRIL_2026, logins=FACEBOOK_ONLY, selection="all"),
    _Media(
        name="total_views", product_types=_EVERYWHERE, introduced=_APRIL_2026, logins=FACEBOOK_ONLY, selection="all"
    ),
    # accepted by name, without a word in Meta's reference about what it counts
    _Media(name="content_views", product_types=_EVERYWHERE, documented=False, selection="named"),
    # v21.0 still answers impressions for media created up to 2024-07-01, hence retired by version and not by day
    _Media(
        name="impressions",
        product_types=_PROFILE,
        introduced="v20.0",
        retired="v22.0",
        continued_by=_IMPRESSIONS,
        alone=True,
        selection="named",
    ),
    # retired
    _Media(name="impressions", product_types=_PROFILE, retired="v20.0", continued_by=_IMPRESSIONS),
    _Played(
        name="plays",
        introduced="v13.0",
        continued_by=Continuation("views", _JANUARY_2025, "plays left out replays, views counts them"),
    ),
    _Played(
        name="clips_replays_count",
        introduced="v19.0",
        continued_by=Continuation("views", _JANUARY_2025, "it counted replays alone, views counts every play"),
    ),
    _Played(
        name="ig_reels_aggregated_all_plays_count",
        introduced="v19.0",
        continued_by=Continuation("views", _JANUARY_2025, "it counted plays, views counts plays and displays"),
    ),
    _Media(
        name="video_views",
        product_types=(FEED,),
        retired="v21.0",
        removed_on=date(2025, 1, 8),
        continued_by=_VIDEO_VIEWS,
        selection="named",
    ),
    _Legacy(name="engagement", product_types=(FEED,), continued_by=_INTERACTIONS),
    _Tap(name="taps_forward", continued_by=_continue_tap("tap_forward")),
    _Tap(name="taps_back", continued_by=_continue_tap("tap_back")),
    _Tap(name="exits", continued_by=_continue_tap("tap_exit")),
    _Album(name="carousel_album_engagement", continued_by=_ALBUM_INTERACTIONS),
    _Album(name="carousel_album_impressions", continued_by=_IMPRESSIONS),
    _Album(name="carousel_album_reach", continued_by=Continuation("reach", "v10.0", _NOBODY_SAYS)),
    _Album(name="carousel_album_saved", continued_by=Continuation("saved", "v10.0", _NOBODY_SAYS)),
    _Album(name="carousel_album_video_views", continued_by=_VIDEO_VIEWS),
    _Sdk14(name="follows_from_impressions"),
    _Sdk14(name="profile_views_from_impressions"),
    _Sdk14(name="total_media_attributed_actions"),
)
