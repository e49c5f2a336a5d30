"""From a schema to drafts that a holder reviews: grants and declarations, never a value."""
