"""What happened: one append-only log, and everything else a projection of it."""
