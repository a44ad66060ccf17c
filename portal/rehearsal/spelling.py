"""How the common toolkits spell an XML signature: prefixes, canonicalisation, white space, forms of `SigningTime`.

Values only; `signer` writes them. Each was modelled on what the toolkit really emits, none on our own sealing.
"""

from dataclasses import dataclass

DS = "http://www.w3.org/2000/09/xmldsig#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
INCLUSIVE_11 = "http://www.w3.org/2006/12/xml-c14n11"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = DS + "enveloped-signature"
XSD_XSI = (("xsd", "http://www.w3.org/2001/XMLSchema"), ("xsi", "http://www.w3.org/2001/XMLSchema-instance"))


@dataclass(frozen=True)
class Spelling:
    """One toolkit's way; the defaults are `System.Security.Cryptography.Xml`."""

    name: str
    prefix: str = ""  # of the signature's own tags
    c14n: str = INCLUSIVE  # of SignedInfo
    transform: str | None = None  # of a reference; none means inclusive C14N 1.0
    digest: str = "sha256"
    # Namespaces on the root of the record, in scope for everything inside (XmlSerializer writes them).
    scope: tuple[tuple[str, str], ...] = ()
    id_name: str = "Id"  # attribute of the data elements; both spellings occur
    line_end: str = ""  # between base64 lines of 76; "" for one line
    indent: bool = False  # white space inside Signature, as libxmlsec templates have it
    short_empty: bool = True  # `<Transform …/>` rather than an end tag
    time_namespace: str | None = None  # of SigningTime; None: as its parent
    plain_properties: bool = False  # SignatureProperties taken out of the ds namespace: `xmlns=""`
    time_target: str = "Object"  # which element the second reference names
    with_issuer: bool = False  # the issuer's certificate stands in KeyInfo too
    key_value: bool = False  # KeyValue stands beside the certificate


DOTNET = Spelling("dotnet", scope=XSD_XSI)
# The e-invoice toolkits of the country: SignatureProperties in no namespace.
DOTNET_PLAIN = Spelling("dotnet-plain-properties", transform=INCLUSIVE, plain_properties=True, id_name="id")
JAVA = Spelling(
    "java", c14n=EXCLUSIVE, transform=EXCLUSIVE, line_end="&#13;\n", time_target="SignatureProperty", key_value=True
)
JAVA_INCLUSIVE = Spelling("java-inclusive", line_end="\n", time_target="SignatureProperties", short_empty=False)
DSS = Spelling("dss", prefix="ds", c14n=EXCLUSIVE, transform=EXCLUSIVE, digest="sha512", with_issuer=True)
XMLSEC = Spelling(
    "xmlsec", prefix="ds", c14n=INCLUSIVE_11, transform=INCLUSIVE_11, indent=True, line_end="\n",
    time_target="SignatureProperty",
)  # fmt: skip
VENDOR_TIME = Spelling(
    "vendor-time", transform=EXCLUSIVE, digest="sha384", time_namespace="http://example.org/#signatureProperties",
    id_name="id", with_issuer=True,
)  # fmt: skip

SPELLINGS = (DOTNET, DOTNET_PLAIN, JAVA, JAVA_INCLUSIVE, DSS, XMLSEC, VENDOR_TIME)
