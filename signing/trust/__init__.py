"""Whom we believe: certificates as facts, the store of trust anchors, chains at a time, and the port for revocation.

Reading order: `certificates`, `store`, `chains`, `revoked`; what lists and OCSP answers may say: `lists`, `answers`.
Trust is a list that the administrator loads; no issuer is privileged, and nothing here reaches for the network.
"""

from signing.trust.certificates import CertificateFacts, read_certificate
from signing.trust.chains import Chain, ChainVerdict, another_way, build_chain
from signing.trust.revoked import RevocationAnswer, RevocationSource, RevocationState
from signing.trust.store import TrustStore

__all__ = [
    "CertificateFacts",
    "Chain",
    "ChainVerdict",
    "RevocationAnswer",
    "RevocationSource",
    "RevocationState",
    "TrustStore",
    "another_way",
    "build_chain",
    "read_certificate",
]
