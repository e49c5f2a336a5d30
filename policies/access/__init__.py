"""The AccessPolicy: who may ask what, for which purpose, until when, at what privacy loss."""
