"""How often a worker looks for garbage in cycles: rarely. What a batch leaves behind has no cycles.

Python's default looks after every 700 new containers, which is once per record, and goes through all modules' objects
now and then; both cost a tenth of a record's time. It still looks, so memory stays bounded.
"""

from __future__ import annotations

import gc

_YOUNG, _MIDDLE, _OLD = 20_000, 20, 50


def collect_rarely() -> None:
    """For this process: what is loaded now is for ever, and the young are looked at every twenty thousand."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
