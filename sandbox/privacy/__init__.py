"""Pure mathematics of privacy, the same on both sides of the boundary: bounds, losses, noise, error bars."""
