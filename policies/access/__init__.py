"""The AccessPolicy: who may ask what of which columns, for which purpose, until when, at what privacy loss."""
