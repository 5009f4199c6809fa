"""The mask-IoU tracker: instances in, identities out."""
