"""Meta's webhooks without any framework: is a call Meta's, and what does it say."""
