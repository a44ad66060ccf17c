"""The journal: an append-only, hash-chained trail of what people did and which personal data they read."""
