"""Outside the boundary: turns SQL into a plan from schema and policy alone. Sees no data."""
