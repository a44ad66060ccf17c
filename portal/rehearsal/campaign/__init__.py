"""The fault campaign: load through the real doors, faults of every kind, then three witnesses compared.

`campaign` judges delivery by facts: what schools were told (ledger), what our database says, what the central
repository wrote down. `checker` shares no code with the gateway. See the README of this room.
"""
