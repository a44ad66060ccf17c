"""Records signed by programs that are not ours, `xmlsec1` and the JDK, are admitted; our seal verifies in `xmlsec1`."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from portal.rehearsal.draft import Draft, Slot
from portal.rehearsal.records import finish, make_draft
from portal.rehearsal.spelling import SPELLINGS

SIGNATURE = re.compile(r"<(?:ds:)?Signature[ >].*?</(?:ds:)?Signature>", re.DOTALL)
TEMPLATE = """<Signature xmlns="http://www.w3.org/2000/09/xmldsig#" Id="{id}"><SignedInfo>
<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>
<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#{kind}-sha256"/>
<Reference URI="#{target}"><Transforms><Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/></Transforms>
<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue/></Reference>
<Reference URI="#{id}-time"><Transforms><Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/></Transforms>
<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue/></Reference>
</SignedInfo><SignatureValue/><KeyInfo><X509Data><X509Certificate/></X509Data></KeyInfo>
<Object Id="{id}-time"><SignatureProperties xmlns=""><SignatureProperty Target="#{id}">
<SigningTime>{time}</SigningTime></SignatureProperty></SignatureProperties></Object></Signature>"""


def unsigned(draft: Draft) -> tuple[str, list[Slot]]:
    """The record without its signatures, and the slots in the order in which they stand in the file."""
    return SIGNATURE.sub("", finish(draft).data.decode()), draft.slots


def place_of(slot: Slot, draft: Draft) -> str:
    """The path of the element that the slot's signature goes into."""
    region = "/HOC_BA/DANH_SACH_THONG_TIN_KY"
    if slot.pair_id:
        return f"{region}/DANH_SACH_GVBM/GVBM[@*[.='{slot.pair_id}']]"
    issuing = f"{region}/PHAT_HANH_HOC_BA" if draft.is_secondary and slot.role in ("CBQL", "KY_PHAT_HANH") else region
    return f"{issuing}/{slot.role}"


def key_files(slot: Slot, folder: Path, name: str) -> tuple[Path, Path, Path]:
    """Key as PEM and PKCS#8 DER, certificate as PEM (with a `.der` beside it)."""
    pem, pk8, certificate = folder / f"{name}.key", folder / f"{name}.pk8", folder / f"{name}.pem"
    form, clear = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem.write_bytes(slot.identity.key.private_bytes(serialization.Encoding.PEM, form, clear))
    pk8.write_bytes(slot.identity.key.private_bytes(serialization.Encoding.DER, form, clear))
    certificate.write_bytes(slot.identity.pem)
    certificate.with_suffix(".der").write_bytes(slot.identity.der)
    return pem, pk8, certificate


def by_xmlsec1(draft: Draft, folder: Path) -> bytes:
    text, slots = unsigned(draft)
    for number, slot in enumerate(slots):
        kind = "ecdsa" if slot.identity.is_elliptic else "rsa"
        block = TEMPLATE.format(id=f"ky-{number}", kind=kind, target=slot.target, time=slot.at.isoformat())
        end = f"</{slot.role}>"
        start = (
            text.index(f'"{slot.pair_id}"', text.index("<DANH_SACH_THONG_TIN_KY"))
            if slot.pair_id
            else (text.index("<DANH_SACH_THONG_TIN_KY") if slot.role != "GVCN" else text.rindex("<GVCN>"))
        )
        at = text.index(end, start)
        text = text[:at] + block + text[at:]
    file = folder / "record.xml"
    file.write_text(text, encoding="utf-8", newline="")
    names = ["DU_LIEU_HOC_BA", "THONG_TIN_HOC_BA", "DIEM_TONG_KET", "http://www.w3.org/2000/09/xmldsig#:Object"]
    ids = [part for name in names for spelt in ("Id", "id") for part in (f"--id-attr:{spelt}", name)]
    for number, slot in enumerate(slots):
        pem, _, certificate = key_files(slot, folder, f"k{number}")
        place = f"{place_of(slot, draft)}/*[local-name()='Signature']"
        command = ["xmlsec1", "--sign", *ids, "--privkey-pem", f"{pem},{certificate}", "--node-xpath", place]
        done = subprocess.run([*command, "--output", str(file), str(file)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    return file.read_bytes()


def by_jdk(draft: Draft, folder: Path) -> bytes:
    text, slots = unsigned(draft)
    (folder / "record.xml").write_text(text, encoding="utf-8", newline="")
    words = [str(folder / "record.xml"), str(folder / "signed.xml")]
    for number, slot in enumerate(slots):
        _, pk8, certificate = key_files(slot, folder, f"k{number}")
        words += [place_of(slot, draft), slot.target, str(pk8), str(certificate.with_suffix(".der"))]
        words.append(slot.at.isoformat())
    source = Path(__file__).with_name("ForeignSigner.java")
    done = subprocess.run(["java", str(source), *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return (folder / "signed.xml").read_bytes()


SIGNERS = [
    pytest.param(
        by_xmlsec1,
        id="xmlsec1",
        marks=pytest.mark.skipif(not shutil.which("xmlsec1"), reason="needs the xmlsec1 program, which is not here"),
    ),
    pytest.param(
        by_jdk,
        id="jdk",
        marks=pytest.mark.skipif(not shutil.which("java"), reason="needs a JDK, which is not here"),
    ),
]


@pytest.mark.journey
@pytest.mark.parametrize("sign", SIGNERS)
@pytest.mark.parametrize("level", ["02", "03"])
def test_a_record_signed_by_a_program_that_is_not_ours_is_admitted(
    cast, hand_in, tmp_path: Path, sign: Callable[[Draft, Path], bytes], level: str
) -> None:
    school = cast.made(level)
    draft = make_draft(cast.province, cast.pki, school, 0, spelling=SPELLINGS[0])
    draft.windows_lines = False
    data = sign(draft, tmp_path)
    record = hand_in(school, data).records.get()
    assert [finding["code"] for finding in record.findings] == []
    assert record.state == "ADMITTED"


@pytest.mark.journey
@pytest.mark.parametrize("sign", SIGNERS)
def test_the_same_record_with_one_mark_changed_is_refused(
    cast, hand_in, tmp_path: Path, sign: Callable[[Draft, Path], bytes]
) -> None:
    school = cast.made("02")
    draft = make_draft(cast.province, cast.pki, school, 0, spelling=SPELLINGS[0])
    draft.windows_lines = False
    data = sign(draft, tmp_path)
    changed = re.sub(rb"<MUC_DAT_DUOC>(T|H)<", lambda found: b"<MUC_DAT_DUOC>" + (b"H<" if found[1] == b"T" else b"T<"),
                     data, count=1)  # fmt: skip
    assert changed != data
    record = hand_in(school, changed).records.get()
    assert record.state == "REFUSED"
    assert {"DIGEST_MISMATCH"} & {finding["code"] for finding in record.findings}


@pytest.mark.journey
@pytest.mark.skipif(not shutil.which("xmlsec1"), reason="needs the xmlsec1 program, which is not here")
def test_the_seal_on_a_package_verifies_in_xmlsec1(cast, hand_in, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from gateway import outbox
    from gateway.models import Submission
    from portal.records import dispatch
    from portal.rehearsal.batches import unsigned_batch

    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 3)).data)
    dispatch.dispatch_due(now=datetime(2026, 11, 21, 4, 0, tzinfo=UTC), at_once=True)
    file = tmp_path / "package.xml"
    file.write_bytes(outbox.load_document(Submission.objects.get().id))
    (tmp_path / "key.pem").write_bytes(cast.pki.department.pem)
    ids = ["--id-attr:id", "DANH_SACH_HOC_BA", "--id-attr:Id", "SignatureProperties"]
    where = "/DANH_SACH_HOC_BA/*[local-name()='Signature']"
    command = ["xmlsec1", "--verify", *ids, "--pubkey-cert-pem", str(tmp_path / "key.pem"), "--node-xpath", where]
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
