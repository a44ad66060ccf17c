"""The bytes of a seal: one template per profile, filled with digests and values. Nothing here computes or decides.

Prefixed `ds:` throughout: in this form the canonical bytes do not depend on default namespaces around the signature.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from signing.errors import MalformedDocument
from signing.sealing.profile import SealProfile

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
ENVELOPED = f"{DS}enveloped-signature"
C14N = {
    "exclusive": "http://www.w3.org/2001/10/xml-exc-c14n#",
    "inclusive": "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
}
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"

SIGNATURE_ID = "chuKyGoi"
TIME_ID = "thoiDiemKyGoi"
# No element of a document that is to be sealed may carry one of these: references of the seal would be ambiguous.
OWN_IDS = frozenset({SIGNATURE_ID, f"{SIGNATURE_ID}-giaTri", f"{SIGNATURE_ID}-goi", TIME_ID})


@dataclass(slots=True)
class Values:
    """What is known of the signature so far; empty until its step."""

    data_digest: str = ""
    properties_digest: str = ""
    signature_value: str = ""
    time_stamp: str = ""


@dataclass(frozen=True, slots=True)
class Spelling:
    """One seal to be written: everything but the digests and values."""

    profile: SealProfile
    certificate: bytes
    uri: str
    at: datetime

    def write(self, values: Values) -> bytes:
        """The `ds:Signature` element with these values, UTF-8."""
        return (
            f'<ds:Signature xmlns:ds="{DS}" Id="{SIGNATURE_ID}">{self._signed_info(values)}'
            f'<ds:SignatureValue Id="{SIGNATURE_ID}-giaTri">{values.signature_value}</ds:SignatureValue>'
            f"{self._key_info()}{self._object(values)}</ds:Signature>"
        ).encode()

    def _signed_info(self, values: Values) -> str:
        c14n = C14N[self.profile.c14n]
        to_properties = f'Type="{SIGNED_PROPERTIES}" ' if self.profile.kind != "XMLDSIG" else ""
        return (
            f'<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{c14n}"/>'
            f'<ds:SignatureMethod Algorithm="{self._method()}"/>'
            f'<ds:Reference Id="{SIGNATURE_ID}-goi" URI={quoteattr(self.uri)}><ds:Transforms>'
            f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{c14n}"/></ds:Transforms>'
            f'<ds:DigestMethod Algorithm="{SHA256}"/>'
            f"<ds:DigestValue>{values.data_digest}</ds:DigestValue></ds:Reference>"
            # The transform is named: a verifier that defaults to another canonical form must not be left to guess.
            f'<ds:Reference {to_properties}URI="#{TIME_ID}"><ds:Transforms><ds:Transform Algorithm="{c14n}"/>'
            f'</ds:Transforms><ds:DigestMethod Algorithm="{SHA256}"/>'
            f"<ds:DigestValue>{values.properties_digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        )

    def _key_info(self) -> str:
        subject = escape(self._parsed().subject.rfc4514_string())
        return (
            f"<ds:KeyInfo><ds:X509Data><ds:X509SubjectName>{subject}</ds:X509SubjectName>"
            f"<ds:X509Certificate>{_base64(self.certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        )

    def _object(self, values: Values) -> str:
        if self.profile.kind == "XMLDSIG":
            # CV 2088: the signing time stands in Object/SignatureProperties/SignatureProperty. The id stands where few
            # programs of schools put one: `xmlsec1` registers ids by element name and stops at one that it meets twice,
            # so a package with two records that carry the same id there can be checked with other tools only.
            return (
                f'<ds:Object><SignatureProperties Id="{TIME_ID}"><SignatureProperty Target="#{SIGNATURE_ID}">'
                f"<SigningTime>{self._time()}</SigningTime></SignatureProperty></SignatureProperties></ds:Object>"
            )
        # ETSI EN 319 132-1 § 6.3: what BASELINE-B asks of the signed properties.
        digest = _base64(hashlib.sha256(self.certificate).digest())
        return (
            f'<ds:Object><xades:QualifyingProperties xmlns:xades="{XADES}" Target="#{SIGNATURE_ID}">'
            f'<xades:SignedProperties Id="{TIME_ID}"><xades:SignedSignatureProperties>'
            f"<xades:SigningTime>{self._time()}</xades:SigningTime><xades:SigningCertificateV2><xades:Cert>"
            f'<xades:CertDigest><ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue>{digest}</ds:DigestValue>'
            "</xades:CertDigest></xades:Cert></xades:SigningCertificateV2></xades:SignedSignatureProperties>"
            "<xades:SignedDataObjectProperties>"
            f'<xades:DataObjectFormat ObjectReference="#{SIGNATURE_ID}-goi"><xades:MimeType>text/xml</xades:MimeType>'
            "</xades:DataObjectFormat></xades:SignedDataObjectProperties></xades:SignedProperties>"
            f"{self._unsigned(values)}</xades:QualifyingProperties></ds:Object>"
        )

    def _unsigned(self, values: Values) -> str:
        if not values.time_stamp:
            return ""
        return (
            "<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp>"
            f'<ds:CanonicalizationMethod Algorithm="{C14N[self.profile.c14n]}"/>'
            f"<xades:EncapsulatedTimeStamp>{values.time_stamp}</xades:EncapsulatedTimeStamp>"
            "</xades:SignatureTimeStamp></xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
        )

    def _time(self) -> str:
        return self.at.isoformat(timespec="seconds")

    def _parsed(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.certificate)

    def _method(self) -> str:
        match self._parsed().public_key():
            case rsa.RSAPublicKey():
                return RSA_SHA256
            case ec.EllipticCurvePublicKey():
                return ECDSA_SHA256
            case other:
                raise MalformedDocument("SEAL_KEY_KIND", f"Không ký được bằng loại khoá {type(other).__name__}.")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
