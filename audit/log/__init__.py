"""The log: canonical leaves, a Merkle tree over them, signed checkpoints, receipts, and the export."""
