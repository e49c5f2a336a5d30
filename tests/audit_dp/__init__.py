"""End-to-end privacy audits: what an attacker who knows everything but one person can tell from many answers."""
