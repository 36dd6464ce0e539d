"""The transforms of the core, each a plugin like any other: rows in, rows out."""
