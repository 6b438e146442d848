"""What the tables are to hold after a run, by the world's own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial

from airflow_provider_iginsights.sandbox.graph import World
from tests.support import truth
from tests.support.mutation.questions import TABLE_OF, Question
from tests.support.mutation.scenarios import Ending, Tables, find_step, index
from tests.support.mutation.waits import LEAD, find_earlier_polls, plan_captures
from tests.support.sandboxes import DAY, END, KEYS, Row, pacific_days
from tests.support.truth.offers import ALL_STORIES


@dataclass(frozen=True, slots=True)
class ExpectedTables:
    """The true rows of a world's accounts."""

    world: World

    def find(self, question: Question, ending: Ending, tables: Mapping[str, list[Row]]) -> dict[str, Tables]:
        """Return what the tables are to hold: for each row, what was true when the step began that read it."""
        found: dict[str, Tables] = {}
        for account_id in self._accounts_of(question):
            truth_at = lru_cache(maxsize=None)(partial(self._truth_at, question, account_id))
            rows = {table: [row for row in tables.get(table, ()) if row["account_id"] == account_id] for table in KEYS}
            fetched = {find_step(row, ending) for each in rows.values() for row in each}
            planned = self._plan_steps(question, account_id, ending.steps, fetched)
            found[account_id] = {}
            for instant in planned:
                for table, true in truth_at(instant).items():
                    found[account_id].setdefault(table, {}).update(true)
            for table, each in rows.items() if question.waits else ():
                for row in each:
                    key = tuple(row[name] for name in KEYS[table])
                    true = truth_at(find_step(row, ending)).get(table, {})
                    if key in true:
                        found[account_id][table][key] = true[key]
            polls = found[account_id].get("instagram_story_polls", {})
            for key, instant in find_earlier_polls(rows["instagram_story_polls"]).items():
                if key in polls:
                    polls[key] = polls[key] | {"previous_poll_at": instant}
        return found

    def _plan_steps(
        self, question: Question, account_id: str, steps: list[datetime], fetched: set[datetime]
    ) -> list[datetime]:
        """Return when an account was to be read: a capture that was not made counts, too."""
        if "capture" in question.arguments:
            ends = END + question.arguments["capture_for"]
            due = plan_captures(self.world, account_id, start=steps[0], ends=ends)
            nearest = [min(steps, key=lambda step: abs(step - at)) for at in due]
            return [step if abs(step - at) <= LEAD else at for step, at in zip(nearest, due, strict=True)]
        is_limited = question.limited and account_id == list(self.world.accounts)[1]
        planned = steps[1:2] if is_limited and len(steps) > 1 else steps[:1]
        return planned if not fetched or fetched.intersection(planned) else [max(fetched)]

    def _truth_at(self, question: Question, account_id: str, instant: datetime) -> Tables:
        unwanted = {TABLE_OF[name] for name, table in question.arguments.items() if name in TABLE_OF and table is None}
        return {
            table: index(table, rows)
            for table, rows in self._truth_of(question, account_id, instant).items()
            if table not in unwanted
        }

    def _accounts_of(self, question: Question) -> list[str]:
        accounts = list(self.world.accounts)
        return accounts[:1] if question.login == "instagram" else accounts

    def _truth_of(self, question: Question, account_id: str, now: datetime) -> dict[str, list[Row]]:
        world, is_all = self.world, question.metrics == "all"
        account = world.accounts[account_id]
        last, current = END.date() - (1 + question.days_ago) * DAY, not question.days_ago
        posts = [post for post in world.media_of(account_id, now) if END - 29 * DAY <= post.timestamp < END]
        stories = world.stories_of(account_id, now)
        if question.kind == "account":
            offer = truth.ALL_ACCOUNT if is_all else truth.DEFAULT_ACCOUNT
            days = pacific_days(last - question.arguments["lookback_days"] * DAY, last)
            rows = truth.account_rows(world, account, days, now=now, offer=offer, current=current)
            page_id = account.page_id if question.discovers and question.login == "facebook" else None
            return {
                "instagram_account_insights": list(rows),
                "instagram_accounts": [truth.profile_rows(account, now=now, page_id=page_id)],
            }
        if question.kind == "media":
            offer_of_posts = truth.ALL_POSTS if is_all else truth.DEFAULT_POSTS
            if question.login == "instagram":
                offer_of_posts = truth.INSTAGRAM_POSTS
            return {
                "instagram_media": list(truth.listed_rows(world, posts, now=now)),
                "instagram_media_children": list(truth.child_rows(world, posts)),
                "instagram_media_insights": list(truth.post_rows(world, posts, now=now, offer=offer_of_posts)),
            }
        if question.kind == "story":
            offer_of_stories = ALL_STORIES if is_all else truth.DEFAULT_STORIES
            return {
                "instagram_media": list(truth.listed_rows(world, stories, now=now)),
                "instagram_story_insights": list(truth.story_rows(world, stories, now=now, offer=offer_of_stories)),
                "instagram_story_polls": [truth.poll_row(world, account, now=now)],
            }
        return {}
