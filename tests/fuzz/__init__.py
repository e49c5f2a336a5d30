"""Questions and databases thrown at the sandbox: seeded, so that every verdict can be had again."""
