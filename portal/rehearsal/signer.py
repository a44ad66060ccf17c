"""A fast XML signer of the outside world: writes the canonical text itself, hashes it, signs it, spells it.

Every text that is signed is composed in canonical form (Canonical XML 1.0 § 1.1), so nothing is parsed or canonicalised
at run time; tests hold each spelling against lxml's C14N and the `xmlsec1` program. It must never import `signing`.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import rsa

from portal.rehearsal.calendar import stamp
from portal.rehearsal.identity import Identity
from portal.rehearsal.spelling import DS, ENVELOPED, EXCLUSIVE, Spelling

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_ENC = "http://www.w3.org/2001/04/xmlenc#"
DIGESTS = {"sha1": DS + "sha1", "sha256": _ENC + "sha256", "sha384": _MORE + "sha384", "sha512": _ENC + "sha512"}
_EMPTY = re.compile(r"></(?:ds:)?(?:Transform|CanonicalizationMethod|SignatureMethod|DigestMethod)>")
_FIRST_NAME = re.compile(r"^<[^\s>/]+")


@dataclass(frozen=True)
class Target:
    """One element to be signed: its id and its text in canonical form, without any namespace of its own."""

    id: str
    text: str
    enveloped: bool = False


@dataclass(frozen=True)
class _Tags:
    """Opening and closing of the signature's own tags under a prefix."""

    prefix: str

    def open(self, name: str, attributes: str = "") -> str:
        return f"<{self.prefix}:{name}{attributes}>" if self.prefix else f"<{name}{attributes}>"

    def close(self, name: str) -> str:
        return f"</{self.prefix}:{name}>" if self.prefix else f"</{name}>"

    def around(self, name: str, content: str, attributes: str = "") -> str:
        return self.open(name, attributes) + content + self.close(name)

    @property
    def declaration(self) -> tuple[str, str]:
        return self.prefix, DS


def escape(text: str) -> str:
    """Character data in canonical form."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def declare(text: str, namespaces: Sequence[tuple[str, str]]) -> str:
    """Writes namespace declarations on the first tag of a canonical text, in canonical order."""
    if not namespaces:
        return text
    head = _FIRST_NAME.match(text)
    if head is None:
        raise ValueError("không phải một phần tử XML")
    written = "".join(f' xmlns:{prefix}="{uri}"' if prefix else f' xmlns="{uri}"' for prefix, uri in sorted(namespaces))
    return text[: head.end()] + written + text[head.end() :]


def sign(
    targets: Sequence[Target],
    *,
    identity: Identity,
    at: datetime,
    spelling: Spelling,
    signature_id: str,
    digest: str | None = None,
    cover_time: bool = True,
) -> str:
    """One `Signature` over all targets and its own signing time, ready to be put into the document.

    Without `cover_time` the signing time stands there unsigned, which no verifier may accept.
    """
    tags = _Tags(spelling.prefix)
    algorithm = digest or spelling.digest
    time_id = f"{signature_id}-time"
    time_object = _time_object(tags, spelling, signature_id, time_id, at)
    time_text = _covered_time(tags, spelling, time_object)
    in_scope = [replace(target, text=_in_scope(spelling, target.text)) for target in targets]
    if cover_time:
        in_scope.append(Target(time_id, time_text))
    references = [_reference(tags, spelling, algorithm, target) for target in in_scope]
    gap = "\n" if spelling.indent else ""
    inner = gap.join(
        [
            "",
            tags.around("CanonicalizationMethod", "", f' Algorithm="{spelling.c14n}"'),
            tags.around("SignatureMethod", "", f' Algorithm="{_signature_method(identity, algorithm)}"'),
            *references,
            "",
        ]
    )
    signed_info = tags.around("SignedInfo", inner)
    canonical = declare(signed_info, _scope_of_signature(tags, spelling, spelling.c14n))
    value = identity.sign(canonical.encode(), algorithm)
    if spelling.short_empty:
        signed_info = _EMPTY.sub(" />" if not spelling.prefix else "/>", signed_info)
    parts = [
        signed_info,
        tags.around("SignatureValue", _wrapped(base64.b64encode(value).decode(), spelling)),
        _key_info(tags, spelling, identity),
        time_object,
    ]
    content = gap + gap.join(parts) + gap
    return declare(tags.around("Signature", content, f' Id="{signature_id}"'), [tags.declaration])


def _in_scope(spelling: Spelling, text: str) -> str:
    """A target's canonical text: inclusive C14N carries the namespaces of the ancestors along."""
    return text if spelling.transform == EXCLUSIVE else declare(text, spelling.scope)


def _scope_of_signature(tags: _Tags, spelling: Spelling, method: str | None) -> list[tuple[str, str]]:
    return [tags.declaration] if method == EXCLUSIVE else [tags.declaration, *spelling.scope]


def _reference(tags: _Tags, spelling: Spelling, algorithm: str, target: Target) -> str:
    transforms = [ENVELOPED] if target.enveloped else []
    if spelling.transform is not None:
        transforms.append(spelling.transform)
    listed = "".join(tags.around("Transform", "", f' Algorithm="{one}"') for one in transforms)
    value = base64.b64encode(hashlib.new(algorithm, target.text.encode()).digest()).decode()
    gap = "\n" if spelling.indent else ""
    inner = [
        *([tags.around("Transforms", listed)] if listed else []),
        tags.around("DigestMethod", "", f' Algorithm="{DIGESTS[algorithm]}"'),
        tags.around("DigestValue", value),
    ]
    return tags.around("Reference", gap + gap.join(inner) + gap, f' URI="#{target.id}"')


def _signature_method(identity: Identity, algorithm: str) -> str:
    if identity.is_elliptic:
        return f"{_MORE}ecdsa-{algorithm}"
    return DS + "rsa-sha1" if algorithm == "sha1" else f"{_MORE}rsa-{algorithm}"


def _time_object(tags: _Tags, spelling: Spelling, signature_id: str, time_id: str, at: datetime) -> str:
    """`Object/SignatureProperties/SignatureProperty/SigningTime`, the id on the element that is referenced."""
    inner = _Tags("") if spelling.plain_properties else tags

    def identified(name: str) -> str:
        return f' Id="{time_id}"' if spelling.time_target == name else ""

    if spelling.time_namespace:
        signing_time = f'<SigningTime xmlns="{spelling.time_namespace}">{stamp(at)}</SigningTime>'
    else:
        signing_time = inner.around("SigningTime", stamp(at))
    one = inner.around("SignatureProperty", signing_time, f'{identified("SignatureProperty")} Target="#{signature_id}"')
    unbound = ' xmlns=""' if spelling.plain_properties else ""
    several = inner.around("SignatureProperties", one, unbound + identified("SignatureProperties"))
    return tags.around("Object", several, identified("Object"))


def _covered_time(tags: _Tags, spelling: Spelling, time_object: str) -> str:
    """The canonical text of what the second reference names, cut out of the Object."""
    start = time_object.index(tags.open(spelling.time_target)[:-1] + " ")
    end_tag = tags.close(spelling.time_target)
    text = time_object[start : time_object.index(end_tag) + len(end_tag)]
    return declare(text, _scope_of_signature(tags, spelling, spelling.transform))


def _key_info(tags: _Tags, spelling: Spelling, identity: Identity) -> str:
    certificates = [identity.base64]
    if spelling.with_issuer:
        certificates.append(identity.chain_base64[0])
    data = tags.around("X509SubjectName", escape(identity.subject)) + "".join(
        tags.around("X509Certificate", _wrapped(one, spelling)) for one in certificates
    )
    return tags.around("KeyInfo", _key_value(tags, spelling, identity) + tags.around("X509Data", data))


def _key_value(tags: _Tags, spelling: Spelling, identity: Identity) -> str:
    public = identity.key.public_key()
    if not spelling.key_value or not isinstance(public, rsa.RSAPublicKey):
        return ""
    numbers = public.public_numbers()
    modulus, exponent = (
        base64.b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode()
        for number in (numbers.n, numbers.e)
    )
    pair = tags.around("Modulus", _wrapped(modulus, spelling)) + tags.around("Exponent", exponent)
    return tags.around("KeyValue", tags.around("RSAKeyValue", pair))


def _wrapped(text: str, spelling: Spelling) -> str:
    if not spelling.line_end:
        return text
    return spelling.line_end.join(text[start : start + 76] for start in range(0, len(text), 76))
