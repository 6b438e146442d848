"""The catalog held against the live API: what a refusal tells, and what differs."""

from __future__ import annotations

import pytest

from airflow_provider_iginsights.catalog.comparison import compare, read_accepted
from airflow_provider_iginsights.sandbox.graph import rules


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("(#100) metric[0] must be one of the following values: reach, views, likes", ("reach", "views", "likes")),
        ("(#100) metric[0] doit être l’une des valeurs suivantes : reach, views", ("reach", "views")),
        ("(#100) metric[0]は次のいずれかの値である必要があります：reach、views、saved", ("reach", "views", "saved")),
        ("(#100) metric[0] يجب أن يكون إحدى القيم التالية: reach، views", ("reach", "views")),
        ("Well, so metric[0] must be one of: reach, follower_count, ig_reels_avg_watch_time, views. Yes", 4),
        ("Fatal", ()),
        ("", ()),
    ],
)
def test_names_in_a_refusal(said: str, names: tuple[str, ...] | int) -> None:
    """The accepted names are found in any language and keep Meta's order."""
    read = read_accepted(said)
    assert (len(read) if isinstance(names, int) else read) == names


@pytest.mark.parametrize("login", ["facebook", "instagram"])
@pytest.mark.parametrize("version", ["v22.0", "v25.0", "v26.0"])
def test_today_nothing_differs(version: str, login: str) -> None:
    """Nothing that Meta accepts today is missing in the catalog, nor the other way round; impressions only linger."""
    media = [name for name, rule in rules.MEDIA_METRICS.items() if login == "facebook" or not rule.facebook_login_only]
    account = compare("account", list(rules.USER_METRICS), version=version, login=login)  # type: ignore[arg-type]
    of_media = compare("media", media, version=version, login=login)  # type: ignore[arg-type]
    assert (account.uncatalogued, account.unaccepted, account.lingering) == ((), (), ())
    assert (of_media.uncatalogued, of_media.unaccepted, of_media.lingering) == ((), (), ("impressions",))


def test_differences_are_told_apart() -> None:
    """A new name and a lost one matter; a Threads name that is gone, or a retired one that lingers, does not."""
    accepted = [name for name in rules.USER_METRICS if name not in ("likes", "quotes")]
    lingers = compare("account", [*rules.USER_METRICS, "impressions"], version="v25.0", login="facebook")
    assert (lingers.lingering, lingers.matter) == (("impressions",), False)
    lacks = compare("account", accepted, version="v25.0", login="facebook")
    assert (lacks.unaccepted, lacks.uncatalogued, lacks.matter) == (("likes",), (), True)
    brings = compare("account", ["waves", *rules.USER_METRICS], version="v25.0", login="facebook")
    assert (brings.unaccepted, brings.uncatalogued, brings.matter) == ((), ("waves",), True)
