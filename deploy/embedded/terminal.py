"""Lines on the terminal: seconds since the start, then one short sentence. Standard library only."""

import os
import time

# The set-up replaces the process; the clock of the first one counts.
_STARTED = float(os.environ.setdefault("HOCBA_STARTED", str(time.time())))


def say(text: str) -> None:
    print(f"[{time.time() - _STARTED:6.1f} s] {text}", flush=True)
