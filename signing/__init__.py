"""XML signatures for the house: bytes in, bytes or a report out. No framework, no database, no broker.

This is the public face. Reading order behind it: errors, algorithms, xml, policy, report, trust, verification.
"""

from signing.algorithms import AlgorithmPolicy
from signing.errors import (
    ArchiveRefused,
    KeyUnavailable,
    MalformedDocument,
    PolicyUnreadable,
    SigningError,
    TimestampUnavailable,
    TrustStoreUnreadable,
)
from signing.policy import Severity, SignaturePolicy, SignatureSlot, SignerKind, policy_from_mapping
from signing.report import (
    Indication,
    Report,
    ReportWarning,
    SignatureReport,
    Step,
    StepStatus,
    SubIndication,
)
from signing.trust import (
    CertificateFacts,
    RevocationAnswer,
    RevocationSource,
    RevocationState,
    TrustStore,
    read_certificate,
)
from signing.verification import BindingProblem, SignerBinding, read_record, verify
from signing.xml import (
    LIST_LIMITS,
    RECORD_LIMITS,
    Cut,
    CutList,
    Document,
    Element,
    Limits,
    child,
    child_text,
    children,
    cut,
    parse,
    text_of,
)

__all__ = [
    "LIST_LIMITS",
    "RECORD_LIMITS",
    "AlgorithmPolicy",
    "ArchiveRefused",
    "BindingProblem",
    "CertificateFacts",
    "Cut",
    "CutList",
    "Document",
    "Element",
    "Indication",
    "KeyUnavailable",
    "Limits",
    "MalformedDocument",
    "PolicyUnreadable",
    "Report",
    "ReportWarning",
    "RevocationAnswer",
    "RevocationSource",
    "RevocationState",
    "Severity",
    "SignaturePolicy",
    "SignatureReport",
    "SignatureSlot",
    "SignerBinding",
    "SignerKind",
    "SigningError",
    "Step",
    "StepStatus",
    "SubIndication",
    "TimestampUnavailable",
    "TrustStore",
    "TrustStoreUnreadable",
    "child",
    "child_text",
    "children",
    "cut",
    "parse",
    "policy_from_mapping",
    "read_certificate",
    "read_record",
    "text_of",
    "verify",
]
