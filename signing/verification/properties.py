"""XAdES: the signed SigningCertificate names the certificate that signed. A mismatch refuses (R11).

Without it a certificate could be exchanged for another one with the same key. Plain XMLDSig has no such property.
"""

from __future__ import annotations

import hmac

from signing.algorithms import DIGESTS, digest_of
from signing.report import SubIndication
from signing.trust import CertificateFacts
from signing.verification.moments import SigningTime, xades
from signing.verification.outcome import Refusal
from signing.verification.structure import ds, read_base64
from signing.xml import Element


def check_signing_certificate(time: SigningTime, certificate: CertificateFacts) -> None:
    """Any SigningCertificate or SigningCertificateV2 must give the certificate's digest first."""
    if time.xades is None:
        return
    found = 0
    for name in ("SigningCertificate", "SigningCertificateV2"):
        for group in time.xades[0].iterchildren(xades(name)):
            found += 1
            _check(group, certificate)
    if not found:
        raise Refusal(
            SubIndication.NO_SIGNING_CERTIFICATE_FOUND,
            "XADES_CERTIFICATE_MISSING",
            "Chữ ký XAdES không nêu chứng thư trong phần được ký. Hãy ký lại.",
        )


def _check(group: Element, certificate: CertificateFacts) -> None:
    wrong = Refusal(
        SubIndication.NO_SIGNING_CERTIFICATE_FOUND,
        "XADES_CERTIFICATE_DIFFERS",
        "Chứng thư nêu trong phần được ký không phải chứng thư kèm theo chữ ký. Hãy ký lại.",
    )
    first = next(group.iterchildren(xades("Cert")), None)
    digest = None if first is None else next(first.iterchildren(xades("CertDigest")), None)
    if digest is None or [item.tag for item in digest.iterchildren()] != [ds("DigestMethod"), ds("DigestValue")]:
        raise wrong
    name = DIGESTS.get(digest[0].get("Algorithm", ""))
    if name is None or name == "md5":
        raise wrong
    # The property is itself signed: a weaker digest here only narrows which certificate fits.
    if not hmac.compare_digest(digest_of(name, certificate.der), read_base64(digest[1], "XADES_CERTIFICATE_DIFFERS")):
        raise wrong
