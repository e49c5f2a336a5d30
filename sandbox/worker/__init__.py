"""Inside the boundary: the three programs that run beside raw data, and nothing that could carry it away."""
