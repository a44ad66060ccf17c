"""Signatures of the rehearsal are good for programs that share no code with us."""

import base64
import hashlib
from collections.abc import Callable

import pytest
from lxml import etree

from portal.rehearsal.batches import list_batch
from portal.rehearsal.pki import Pki
from portal.rehearsal.province import LOWER, PRIMARY, UPPER, Province
from portal.rehearsal.records import make_record
from portal.rehearsal.signer import Target, declare, sign
from portal.rehearsal.spelling import DOTNET, SPELLINGS, Spelling

DS = "{http://www.w3.org/2000/09/xmldsig#}"


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.name)
@pytest.mark.parametrize("level", [PRIMARY, LOWER, UPPER])
def test_every_signature_of_a_record_verifies_with_xmlsec1(
    province: Province, pki: Pki, xmlsec1: Callable[[bytes], list[str]], spelling: Spelling, level: str
) -> None:
    school = province.of_level(level)[0]
    assert xmlsec1(make_record(province, pki, school, 3, spelling=spelling).data) == []


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.name)
def test_the_signature_over_a_list_verifies_with_xmlsec1(
    province: Province, pki: Pki, xmlsec1: Callable[[bytes], list[str]], spelling: Spelling
) -> None:
    school = province.schools[0]
    # One record only: ids repeat from record to record, which xmlsec1 cannot bear.
    record = make_record(province, pki, school, 5)
    at = province.calendar.moment(month=5, day=29)
    batch = list_batch([record], identity=pki.organisation(school), at=at, spelling=spelling)
    assert xmlsec1(batch.data) == []
    assert record.data in batch.data


def test_an_altered_mark_is_noticed_by_xmlsec1(
    province: Province, pki: Pki, xmlsec1: Callable[[bytes], list[str]]
) -> None:
    record = make_record(province, pki, province.schools[0], 3)
    altered = record.data.replace(b"<DUOC_LEN_LOP>1<", b"<DUOC_LEN_LOP>0<").replace(
        b"<DUOC_LEN_LOP>0<", b"<DUOC_LEN_LOP>9<"
    )
    assert len(xmlsec1(altered)) == len(etree.fromstring(altered).findall(f".//{DS}Signature"))


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.name)
def test_the_written_canonical_text_is_what_lxml_makes_of_it(province: Province, pki: Pki, spelling: Spelling) -> None:
    identity = pki.organisation(province.schools[0])
    text = '<A Id="a">trẻ em &amp; &lt;học bạ&gt;</A>'
    written = sign(
        [Target("a", text)],
        identity=identity,
        at=province.calendar.moment(month=5, day=28),
        spelling=spelling,
        signature_id="s",
    )
    scope = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in spelling.scope)
    document = etree.fromstring(f"<R{scope}>{text}{written}</R>".encode())
    target = document.find("A")
    assert target is not None
    exclusive = spelling.transform is not None and "exc-c14n" in spelling.transform
    canonical = etree.tostring(target, method="c14n", exclusive=exclusive, with_tail=False)
    digest = document.findtext(f".//{DS}Reference[@URI='#a']/{DS}DigestValue")
    name = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}[spelling.digest]
    assert digest is not None
    assert base64.b64decode(digest) == name(canonical).digest()


def test_declarations_stand_before_attributes_in_canonical_order() -> None:
    assert (
        declare('<A Id="1">x</A>', [("xsi", "urn:i"), ("", "urn:d")])
        == '<A xmlns="urn:d" xmlns:xsi="urn:i" Id="1">x</A>'
    )


def test_the_same_seed_gives_the_same_bytes(province: Province, pki: Pki) -> None:
    school = province.schools[1]
    once, again = (make_record(province, pki, school, 11, spelling=DOTNET) for _ in range(2))
    assert once.data == again.data
    assert once.sha256 == hashlib.sha256(once.data).hexdigest()
