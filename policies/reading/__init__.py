"""From text to frozen types: nodes with places, and one reader for each kind of document."""
