"""Where the log and its projections are kept: SQLite, embedded, one file."""
