"""Sealing: an organisation's signature over a whole document, written into its bytes.

Reading order: `profile` (how a seal is spelt and who holds the key), `spelling` (the bytes of a signature),
`sealer` (the steps).
"""

from signing.sealing.profile import SealingKey, SealProfile, Stamper
from signing.sealing.sealer import seal
from signing.sealing.spelling import OWN_IDS

__all__ = ["OWN_IDS", "SealProfile", "SealingKey", "Stamper", "seal"]
