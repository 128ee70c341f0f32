"""The use cases: one verb per function. A session comes in first, and is never committed here."""
