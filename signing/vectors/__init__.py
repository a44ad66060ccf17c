"""Runs a folder of third-party vectors with an INDEX.tsv (path, expected, reason …) against the library.

The expected column is only compared, never used to decide. `valid` = passes under the policy; `invalid` = broken or
contradictory; `unsupported` = refused because it lies outside the policy, with the reason. Agreement: nothing that must
fail passes, nothing that must pass is called broken, and no file ends in an error.
"""

from signing.vectors.index import Line, read_index
from signing.vectors.running import Outcome, run_vectors

__all__ = ["Line", "Outcome", "read_index", "run_vectors"]
