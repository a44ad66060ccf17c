"""The second engine: signxml decides references, digests and values, independently of the fast one.

It re-checks a share of the records and any disputed one. Its own parse, its own places, its own reading of certificate
and time; only the gate's byte rules, the chain and the verdict type are common. Roster, order and numbers beside the
signatures are not its business. `agrees` compares: a disagreement is an alarm and the record is held.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidInput, SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from signing.errors import SigningError
from signing.policy import SignaturePolicy, SignatureSlot
from signing.report import Indication, Report, SignatureReport, SubIndication, indication_of
from signing.trust import CertificateFacts, ChainVerdict, RevocationSource, TrustStore, build_chain, read_certificate
from signing.verification.evidence import check_revocation
from signing.verification.outcome import Refusal, malformed
from signing.xml import LIST_LIMITS, RECORD_LIMITS, Element, parse

log = logging.getLogger("signing.verification")
_DS: Final = "http://www.w3.org/2000/09/xmldsig#"
_METHODS: Final = frozenset(
    method
    for method in SignatureMethod
    if method.name.removeprefix("RSA_").removeprefix("ECDSA_").removesuffix("_RSA_MGF1")
    in ("SHA256", "SHA384", "SHA512")
    and not method.name.startswith(("HMAC", "DSA"))
)
_DIGESTS: Final = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_MAX_PREFIXES: Final = 32
_MAX_REFERENCES: Final = 4
# Refusals of the fast engine that the second one must share; the others are not mathematics.
_SHARED: Final = frozenset(
    {SubIndication.HASH_FAILURE, SubIndication.SIG_CRYPTO_FAILURE, SubIndication.SIGNED_DATA_NOT_FOUND}
)


class _Verifier(XMLVerifier):
    """signxml for one chosen signature, with canonical forms of nodes parsed on their own.

    lxml writes a spurious xmlns="" for inclusive C14N below a default namespace; without this, good records of most
    school software are refused. The signature's place is handed in: no search for "the first one". (It is a place, for
    signxml takes an enveloped signature out of a copy of the tree, and must find it there.)
    """

    chosen: tuple[int, ...] = ()

    def _get_signature(self, root: Element) -> Element:
        if not self.chosen:
            raise ValueError("no signature chosen")
        for index in self.chosen:
            root = root[index]
        return root

    def _get_inclusive_ns_prefixes(self, transform_node: Element) -> list[str] | None:
        # libxml2 looks for each prefix at each element.
        prefixes = [prefix for prefix in super()._get_inclusive_ns_prefixes(transform_node) or () if prefix]  # type: ignore[no-untyped-call]
        if len(prefixes) > _MAX_PREFIXES:
            raise InvalidInput("too many prefixes")
        return prefixes or None

    def _c14n(self, nodes: Any, algorithm: CanonicalizationMethod, inclusive_ns_prefixes: Any = None) -> bytes:
        if "exc-c14n" not in algorithm.value and not isinstance(nodes, list) and nodes.getparent() is not None:
            nodes = _reparsed(nodes)
        return bytes(super()._c14n(nodes, algorithm, inclusive_ns_prefixes))

    def _check_key_value_matches_cert_public_key(
        self, key_value: Any, public_key: Any, signature_alg: SignatureMethod
    ) -> bool:
        # signxml knows the comparison of RSA keys, but not for the names of RSASSA-PSS.
        if signature_alg.name.endswith("_RSA_MGF1"):
            signature_alg = SignatureMethod.RSA_SHA256
        return bool(super()._check_key_value_matches_cert_public_key(key_value, public_key, signature_alg))


def _reparsed(node: Element) -> Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(etree.tostring(node, with_tail=False, encoding="utf-8"), parser)


def verify_again(
    document: bytes,
    policy: SignaturePolicy,
    trust: TrustStore,
    *,
    at: datetime,
    revocation: RevocationSource | None = None,
) -> Report:
    """Verdict of the second engine. Never raises for what the document contains."""
    try:
        root = parse(document, limits=LIST_LIMITS if policy.nested else RECORD_LIMITS).root
        reports, digest = _check_all(root, policy, trust, at, revocation)
    except Refusal as refusal:
        return _refused(policy, refusal)
    except SigningError as error:
        return _refused(policy, malformed(error.code, error.message))
    except Exception as error:
        log.info("second engine: %s", type(error).__name__)
        return _refused(
            policy, malformed("SECOND_REFUSED", f"Bộ kiểm tra thứ hai không chấp nhận ({type(error).__name__}).")
        )
    return Report(
        policy.name,
        Indication.TOTAL_PASSED,
        signatures=reports,
        content_digest=digest,
        engine="second",
        message="Tất cả chữ ký hợp lệ.",
    )


def agrees(first: Report, second: Report) -> bool:
    """Whether the second engine confirms the first; False is an alarm: hold the record."""
    if first.passed:
        return second.try_later or (second.passed and first.content_digest == second.content_digest)
    return not (second.passed and first.sub_indication in _SHARED)


def _refused(policy: SignaturePolicy, refusal: Refusal) -> Report:
    return Report(policy.name, indication_of(refusal.sub), refusal.sub, refusal.code, refusal.message, engine="second")


def _check_all(
    root: Element, policy: SignaturePolicy, trust: TrustStore, at: datetime, revocation: RevocationSource | None
) -> tuple[tuple[SignatureReport, ...], str | None]:
    if policy.root not in ("*", root.tag):
        raise malformed("ROOT_UNEXPECTED", f"Phần tử gốc phải là {policy.root}.")
    reports: list[SignatureReport] = []
    digest = None
    for slot in policy.slots:
        for place, signature, target in _pairs(root, slot):
            signed, moment, certificate = _check_one(root, slot, signature, target, policy)
            others = _certificates(signature)
            _check_evidence(certificate, trust, moment, others, policy=policy, at=at, revocation=revocation)
            if slot.covers == policy.main:
                digest = hashlib.sha256(signed).hexdigest()
            reports.append(
                SignatureReport(slot.role, place, Indication.TOTAL_PASSED, signing_time=moment, covers=slot.covers)
            )
    own = [
        item for item in root.iter("{*}Signature") if not any(up.tag in policy.nested for up in item.iterancestors())
    ]
    if len(own) != len(reports) or not reports:
        raise malformed("SIGNATURE_MISPLACED", "Có chữ ký ở chỗ không được phép.")
    return tuple(reports), digest


def _pairs(root: Element, slot: SignatureSlot) -> Iterator[tuple[str, Element, Element]]:
    """Signature and the element it must cover, by exact paths."""
    holders = root.findall("/".join(slot.steps)) if slot.steps else [root]
    targets = root.findall(slot.covers) if slot.covers != "." else [root]
    if slot.pair_on is None:
        if len(targets) != 1 or len(holders) > 1:
            raise malformed("CONTENT_TWICE", f"Phần {slot.covers} hoặc chỗ ký {slot.role} không duy nhất.")
        pairs = [(slot.place, holder, targets[0]) for holder in holders]
    else:
        path, _, name = slot.pair_on.rpartition("@")
        rows = {_pair_id(row.find(path.rstrip("/")) if path else row, name): row for row in targets}
        by_id = {_pair_id(holder, name): holder for holder in holders}
        if (
            len(rows) != len(targets)
            or len(by_id) != len(holders)
            or set(by_id) - set(rows)
            or (slot.required and set(rows) - set(by_id))
        ):
            raise malformed("PAIR_MISSING", f"Dòng và chữ ký {slot.role} không khớp một đối một.")
        pairs = [(f"{slot.place}[{key}]", holder, rows[key]) for key, holder in by_id.items()]
    found = [(place, item, target) for place, holder, target in pairs for item in holder.findall(f"{{{_DS}}}Signature")]
    if len(found) != len(pairs) or (slot.required and not found):
        raise malformed("SIGNATURE_MISSING", f"Thiếu hoặc thừa chữ ký {slot.role}.")
    yield from found


def _pair_id(element: Element | None, name: str) -> str:
    value = None if element is None else element.get(name) or element.get(name.lower())
    if not value:
        raise malformed("PAIR_MISSING", "Có dòng không mang Id của chữ ký.")
    return value


def _check_one(
    root: Element, slot: SignatureSlot, signature: Element, target: Element, policy: SignaturePolicy
) -> tuple[bytes, datetime, x509.Certificate]:
    _check_references(signature, target, policy)
    certificate = _certificate(signature)
    verifier = _Verifier()
    verifier.chosen = _place(root, signature)
    claimed = _claimed(signature)
    old = policy.algorithms.admits_digest("sha1", claimed)
    expect = SignatureConfiguration(
        require_x509=True, expect_references=True, verification_time=claimed,
        signature_methods=_METHODS | {SignatureMethod.RSA_SHA1} if old else _METHODS,
        digest_algorithms=_DIGESTS | {DigestAlgorithm.SHA1} if old else _DIGESTS,
        default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
    )  # fmt: skip
    try:
        results = verifier.verify(
            root, x509_cert=certificate, validate_schema=False, expect_config=expect, id_attribute=None
        )
    except SignXMLException as error:
        raise Refusal(
            SubIndication.SIG_CRYPTO_FAILURE, "SECOND_REFUSED", f"Bộ kiểm tra thứ hai: {type(error).__name__}."
        ) from None
    trees = [item.signed_xml for item in (results if isinstance(results, list) else [results])]
    wanted = _without(target, signature) if slot.covers == "." else _canonical(target)
    data = [tree for tree in trees if tree is not None and tree.tag == target.tag and _canonical(tree) == wanted]
    times = [tree for tree in trees if tree is not None and tree not in data for _ in tree.iter("{*}SigningTime")]
    if len(data) != 1 or len(times) != 1:
        raise Refusal(
            SubIndication.SIGNED_DATA_NOT_FOUND,
            "REFERENCE_WRONG_TARGET",
            f"Chữ ký {slot.role} không ký đúng {slot.covers}.",
        )
    return wanted, _time_of(times[0]), certificate


def _check_references(signature: Element, target: Element, policy: SignaturePolicy) -> None:
    """Few (signxml parses the whole file again for each), and one by an id in a spelling that the policy resolves."""
    references = signature.findall(f"{{{_DS}}}SignedInfo/{{{_DS}}}Reference")
    uris = [item.get("URI") for item in references]
    transforms = [len(item.findall(f"{{{_DS}}}Transforms/{{{_DS}}}Transform")) for item in references]
    if len(uris) > _MAX_REFERENCES or max(transforms, default=0) > _MAX_REFERENCES:
        raise malformed("REFERENCE_TOO_MANY", "Chữ ký có quá nhiều tham chiếu hoặc phép biến đổi.")
    own = [target.get(name) for name in policy.id_attributes if target.get(name) is not None]
    if not any(uri == "" or (len(own) == 1 and uri == f"#{own[0]}") for uri in uris):
        raise Refusal(
            SubIndication.SIGNED_DATA_NOT_FOUND, "REFERENCE_UNRESOLVED", "Chữ ký không nêu Id của phần phải ký."
        )


def _place(root: Element, element: Element) -> tuple[int, ...]:
    steps: list[int] = []
    while element is not root and (parent := element.getparent()) is not None:
        steps.append(parent.index(element))
        element = parent
    return tuple(reversed(steps))


def _canonical(element: Element) -> bytes:
    return bytes(etree.tostring(_reparsed(element), method="c14n", exclusive=True, with_comments=False))


def _without(target: Element, signature: Element) -> bytes:
    """The root's canonical form without its enveloped signature, by another way than the fast engine's."""
    marked = _reparsed(target)
    twin = marked[target.index(signature)]
    tail = twin.tail or ""
    before = twin.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        marked.text = (marked.text or "") + tail
    marked.remove(twin)
    return bytes(etree.tostring(marked, method="c14n", exclusive=True, with_comments=False))


def _certificate(signature: Element) -> x509.Certificate:
    found = _certificates(signature)
    signers = [item for item in found if not item.is_authority] or found
    if len({item.sha256 for item in signers}) != 1:
        raise Refusal(
            SubIndication.NO_SIGNING_CERTIFICATE_FOUND, "CERTIFICATE_MISSING", "Không rõ chứng thư của người ký."
        )
    return x509.load_der_x509_certificate(signers[0].der)


def _certificates(signature: Element) -> list[CertificateFacts]:
    texts = signature.findall(f"{{{_DS}}}KeyInfo/{{{_DS}}}X509Data/{{{_DS}}}X509Certificate")
    try:
        return [read_certificate(base64.b64decode("".join((item.text or "").split()), validate=True)) for item in texts]
    except binascii.Error:
        return []


def _claimed(signature: Element) -> datetime:
    times = list(signature.iter("{*}SigningTime"))
    if len(times) != 1:
        raise malformed("TIME_MISSING", "Chữ ký phải có đúng một thời điểm ký.")
    return _time_of(times[0])


def _time_of(tree: Element) -> datetime:
    text = next(tree.iter("{*}SigningTime")).text or ""
    moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise malformed("TIME_MALFORMED", "Thời điểm ký thiếu múi giờ.")
    return moment


def _check_evidence(
    certificate: x509.Certificate, trust: TrustStore, moment: datetime, others: Sequence[CertificateFacts], *,
    at: datetime, policy: SignaturePolicy, revocation: RevocationSource | None,
) -> None:  # fmt: skip
    if moment > at + policy.max_future:
        raise Refusal(SubIndication.SIG_CONSTRAINTS_FAILURE, "TIME_IN_FUTURE", "Thời điểm ký ở tương lai.")
    facts = read_certificate(certificate.public_bytes(Encoding.DER))
    if facts.is_authority or not facts.may_sign or not policy.algorithms.admits_key(facts.key_kind, facts.key_bits):
        raise Refusal(SubIndication.CHAIN_CONSTRAINTS_FAILURE, "CERTIFICATE_USAGE", "Chứng thư không dùng để ký được.")
    # An issuer's certificate may have come along with the signature; only the anchor is ours.
    chain = build_chain(facts, trust, at=moment, extra=[item for item in others if item.sha256 != facts.sha256])
    if chain.verdict is not ChainVerdict.VALID:
        raise Refusal(
            SubIndication.NO_CERTIFICATE_CHAIN_FOUND, "CHAIN_NOT_FOUND", "Chứng thư không dẫn đến gốc tin cậy."
        )
    check_revocation(chain, revocation, policy, moment)
