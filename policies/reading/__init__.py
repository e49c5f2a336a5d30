"""From text to frozen types: YAML with positions, typed readers, one reader for each kind of document."""
