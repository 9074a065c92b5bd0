"""The same request to a server on SQLite and to one on Postgres: their answers are equal."""
