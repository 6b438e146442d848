"""``make matrix``: which versions the built wheel works with, one cell an environment."""
