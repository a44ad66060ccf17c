"""What pages show, read from rows: queries and frozen values, never a write.

Every query starts from what the actor may see.
"""
