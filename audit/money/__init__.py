"""From usage to shares in whole fen: metering, rating, splitting, statements, channels. Integer arithmetic only."""
