"""Golden files: a question, the SQL its plan becomes beside the data, and what it spends. The diff is the review."""
