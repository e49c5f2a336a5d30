"""The demonstration: one domain where nobody exists, from the raw files to the last fen."""
