"""What is allowed: declarations and small pure rules. Opens no socket and sees no data."""
