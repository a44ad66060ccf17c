"""Processing: step 2 of a batch's path, from the stored hand-in to a row with a verdict for every record in it.

`claiming` (one worker at a time), `working` (open, judge chunk by chunk, finish), `storing` (one chunk, one
transaction).
"""

from portal.records.processing.claiming import LostBatch, resume
from portal.records.processing.working import process_batch, process_due

__all__ = ["LostBatch", "process_batch", "process_due", "resume"]
