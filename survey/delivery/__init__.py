"""The way out: mail and figures. Values in, bytes out; no row is ever seen here."""
