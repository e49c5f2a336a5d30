"""Who is asking: a register of clients with hashed secrets, and short-lived signed tokens."""
