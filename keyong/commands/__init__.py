"""The commands of `keyong`, one noun a file. Each module says how it is called and what it does."""
