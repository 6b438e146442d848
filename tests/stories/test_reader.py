"""Stories: their rows through a day of hourly reads, and the read that is marked as the last."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_iginsights.sandbox.graph import Media, World
from tests.support.readers import NOW, open_readers

MINUTE = timedelta(minutes=1)


def story(world: World, age: timedelta) -> Media:
    """Return a story that was published so long ago."""
    return Media(
        id="17900000010001234",
        account_id=next(iter(world.accounts)),
        media_type="IMAGE",
        media_product_type="STORY",
        timestamp=NOW - age,
        viewers=50,
    )


@pytest.mark.parametrize(
    ("age", "is_final"),
    [
        (MINUTE, False),
        (timedelta(hours=22, minutes=59), False),
        (timedelta(hours=23), True),
        (timedelta(hours=23, minutes=59), True),
    ],
)
def test_the_last_read_is_final(age: timedelta, *, is_final: bool) -> None:
    """A read in the last of a story's 24 hours is final; all its rows carry its hour and its end."""
    world = World.build(accounts=1, stories_per_account=0, now=NOW)
    world.put(story(world, age))
    with open_readers(world) as readers:
        rows = readers.story_rows()
        (media,) = [row for table, row in rows if table == "media"]
        insights = [row for table, row in rows if table == "story_insights"]
        assert media["media_product_type"] == "STORY"
        assert {row["is_final"] for row in insights} == {is_final}
        assert {row["snapshot_at"] for row in insights} == {"2026-11-21T20:00:00Z"}
        assert {row["expires_at"] for row in insights} == {f"{NOW - age + timedelta(hours=24):%Y-%m-%dT%H:%M:%SZ}"}
        assert {row["source"] for row in insights} == {"poll"}


def test_a_day_of_reads() -> None:
    """Read every hour, a story gives one row per metric and hour, of which the last hour's are final."""
    world = World.build(accounts=1, stories_per_account=0, now=NOW)
    world.put(story(world, timedelta(minutes=10)))
    with open_readers(world) as readers:
        hours: dict[str, set[bool]] = {}
        for _ in range(26):
            for table, row in readers.story_rows(["reach"]):
                if table == "story_insights":
                    hours.setdefault(row["snapshot_at"], set()).add(row["is_final"])
            readers.sandbox.clock.advance(timedelta(hours=1))
        assert len(hours) == 24
        assert [at for at, finals in hours.items() if finals == {True}] == ["2026-11-22T19:00:00Z"]
        assert readers.left_out == {}
