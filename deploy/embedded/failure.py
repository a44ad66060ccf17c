"""The one exception of the embedded mode: a sentence for the person at the keyboard, in Vietnamese and English.

Standard library only. Never raised for a fault in our own code: those keep their traceback.
"""


class Trouble(Exception):
    """Something about this machine; `str()` says what it is and what to do."""

    def __init__(self, vietnamese: str, english: str) -> None:
        super().__init__(f"{vietnamese}\n{english}")
