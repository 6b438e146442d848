"""All that is special about stories: their life of 24 hours, polls, gaps, final numbers, and the rows of webhooks."""
