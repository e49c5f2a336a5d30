"""A worker taken over by an attacker, and what is left to it."""
