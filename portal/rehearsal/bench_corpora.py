"""The files that the benchmark measures on: records of both layouts, and the sample of the design's table.

Everything is signed by the rehearsal's own signer; making them costs time that no engine is charged with.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

import signing
from portal.rehearsal.calendar import Calendar
from portal.rehearsal.draft import Draft
from portal.rehearsal.pki import Pki
from portal.rehearsal.pki_files import open_pki
from portal.rehearsal.province import Province, make_province
from portal.rehearsal.records import finish, make_draft, make_record
from portal.rehearsal.spelling import DSS, Spelling
from signing.algorithms import DS
from signing.presets import FIRST_LAYOUT, SECOND_LAYOUT

# The one spelling that signxml reads as documented: exclusive C14N, SigningTime outside the signature's namespace.
READABLE = replace(
    DSS, name="readable", digest="sha256", with_issuer=False, time_namespace="http://example.org/#signatureProperties"
)
# Lines of the learning history that bring a record with one row of marks to 42 kB.
_DESIGN_LINES = 110
_DESIGN_SIGNATURES = 4


@dataclass(frozen=True, slots=True)
class Corpus:
    """Records of one layout with all that verifying them needs."""

    name: str
    records: tuple[bytes, ...]
    policy: signing.SignaturePolicy
    trust: signing.TrustStore
    at: datetime

    @property
    def authorities(self) -> tuple[bytes, ...]:
        """Every certificate that is trusted, DER."""
        return tuple(item.der for item in (*self.trust.anchors, *self.trust.intermediates))


def make_corpora(count: int, folder: Path, *, spelling: Spelling | None = None) -> list[Corpus]:
    """Records of both layouts, as the schools' programs spell them or all in one spelling."""
    now = datetime.now(UTC)
    province, pki = _world(folder, now)
    trust = _trust(pki)
    found = []
    for name, levels, policy in (("primary", ("02",), FIRST_LAYOUT), ("secondary", ("03", "04"), SECOND_LAYOUT)):
        school = province.of_level(*levels)[0]
        made = tuple(make_record(province, pki, school, number, spelling=spelling).data for number in range(count))
        found.append(Corpus(name, made, replace(policy, revocation="off"), trust, now))
    return found


def make_design_sample(count: int, folder: Path) -> Corpus:
    """Records of 42 kB with four RSA-2048 signatures: the sample of the design's table, for comparison with it."""
    now = datetime.now(UTC)
    province, pki = _world(folder, now)
    drafts = (
        make_draft(province, pki, school, number, spelling=READABLE)
        for school in province.of_level("03", "04")
        for number in range(count)
    )
    fitting = [draft for draft in map(_four_signatures, drafts) if draft is not None]
    records = tuple(finish(draft).data for draft in fitting[:count])
    return Corpus("design_sample", records, replace(SECOND_LAYOUT, revocation="off"), _trust(pki), now)


def places_of_signatures(data: bytes) -> list[str]:
    """The path of every signature's parent, for engines that must be told where to look."""
    tree = etree.fromstring(data).getroottree()
    holders = [signature.getparent() for signature in tree.iter(f"{{{DS}}}Signature")]
    return [f"./{tree.getelementpath(holder)}/" for holder in holders if holder is not None]


def _four_signatures(draft: Draft) -> Draft | None:
    """One row with its teacher, homeroom teacher, head, school; None where one of them has no RSA key."""
    row = draft.rows[0]
    draft.slots = [slot for slot in draft.slots if slot.pair_id in (None, row.pair_id)]
    keys = [slot.identity.certificate.public_key() for slot in draft.slots]
    if len(keys) != _DESIGN_SIGNATURES or not all(isinstance(key, rsa.RSAPublicKey) for key in keys):
        return None
    draft.rows = [row]
    draft.history = [draft.history[-1]] * _DESIGN_LINES
    return draft


def _world(folder: Path, now: datetime) -> tuple[Province, Pki]:
    calendar = Calendar.last_finished(now)
    return make_province(seed="bench", calendar=calendar), open_pki(folder / "pki", seed="bench", calendar=calendar)


def _trust(pki: Pki) -> signing.TrustStore:
    authorities = (pki.root, pki.public_issuer, pki.special_issuer)
    return signing.TrustStore.from_certificates(
        item.identity.certificate.public_bytes(Encoding.DER) for item in authorities
    )
