"""The rows, and the keys beside them. Knows SQLAlchemy, and no framework."""
