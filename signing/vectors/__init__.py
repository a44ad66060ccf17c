"""Runs a folder of third-party vectors with an INDEX.tsv (path, expected, reason …) against the library.

The expected column is only compared, never used to decide. `valid` = passes under the policy; `invalid` = broken or
contradictory; `unsupported` = refused because it lies outside the policy, with the reason. Agreement: nothing that must
fail passes, nothing that must pass is called broken, and no file ends in an error.

Whom a set trusts: the self-signed certificates of its material, unless path or reason call them an attacker's; what is
itself judged vouches for nobody. Beside certificates or signed files a document without signature has lost its own.
"""

from signing.vectors.index import Line, read_index
from signing.vectors.running import Outcome, run_vectors

__all__ = ["Line", "Outcome", "read_index", "run_vectors"]
