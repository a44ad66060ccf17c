"""XAdES: the signed SigningCertificate names the certificate that signed. A mismatch refuses (R11).

Without it a certificate could be exchanged for another one with the same key. Plain XMLDSig has no such property.
"""

from __future__ import annotations

import hmac

from signing.algorithms import DIGESTS, digest_of
from signing.report import SubIndication
from signing.trust import CertificateFacts
from signing.verification.issuer import is_issuer, is_serial, names_certificate
from signing.verification.moments import SigningTime, xades
from signing.verification.outcome import Refusal
from signing.verification.structure import ds, read_base64
from signing.xml import Element


def check_signing_certificate(time: SigningTime, certificate: CertificateFacts) -> None:
    """Any SigningCertificate or SigningCertificateV2 must name the certificate first: digest, issuer, serial."""
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
    named = list(group.iterchildren(xades("Cert")))
    if not named:
        raise wrong
    if not _is_digest_of(certificate, named[0], wrong):
        if any(_is_digest_of(certificate, other, wrong) for other in named[1:]):
            raise _not_as_asked(
                "XADES_CERTIFICATE_ORDER", "Phần được ký nêu chứng thư khác trước chứng thư của người ký. Hãy ký lại."
            )
        raise wrong
    if not _is_named(certificate, named[0]):
        raise _not_as_asked(
            "XADES_ISSUER_DIFFERS",
            "Nơi cấp hoặc số sê-ri nêu trong phần được ký không phải của chứng thư kèm theo. Hãy ký lại.",
        )


def _not_as_asked(code: str, message: str) -> Refusal:
    return Refusal(SubIndication.NO_SIGNING_CERTIFICATE_FOUND, code, message)


def _is_digest_of(certificate: CertificateFacts, named: Element, wrong: Refusal) -> bool:
    digest = next(named.iterchildren(xades("CertDigest")), None)
    if digest is None or [item.tag for item in digest.iterchildren()] != [ds("DigestMethod"), ds("DigestValue")]:
        raise wrong
    name = DIGESTS.get(digest[0].get("Algorithm", ""))
    if name is None or name == "md5":
        raise _not_as_asked(
            "XADES_DIGEST_UNSUPPORTED",
            "Thuật toán băm chứng thư trong phần được ký không được chấp nhận. Hãy ký lại bằng SHA-256.",
        )
    # The property is itself signed: a weaker digest here only narrows which certificate fits.
    return hmac.compare_digest(digest_of(name, certificate.der), read_base64(digest[1], "XADES_CERTIFICATE_DIFFERS"))


def _is_named(certificate: CertificateFacts, named: Element) -> bool:
    """Issuer and serial number beside the digest, in either spelling, do not contradict it."""
    for part in named.iterchildren(xades("IssuerSerial")):
        if [item.tag for item in part.iterchildren()] != [ds("X509IssuerName"), ds("X509SerialNumber")]:
            return False
        if not is_serial(part[1].text, certificate) or not is_issuer(part[0].text, certificate):
            return False
    return all(
        names_certificate(read_base64(part, "XADES_ISSUER_DIFFERS"), certificate)
        for part in named.iterchildren(xades("IssuerSerialV2"))
    )
