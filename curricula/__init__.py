"""When to trust the distilled and when the gold data."""
