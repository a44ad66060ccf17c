"""Records signed by other people's programs, the JDK and xmlsec1, are accepted; both engines agree."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

import signing
from signing.verification.second import agrees, verify_again

INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
INCLUSIVE11 = "http://www.w3.org/2006/12/xml-c14n11"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
JAVA = Path(__file__).parent / "java" / "SignRecord.java"


def unsigned(cast) -> str:
    """A primary record whose signatures were taken out, the places left."""
    text = cast.record(0, spelling="dotnet").decode()
    text = re.sub(r"<(\w+:)?Signature .*?</(\w+:)?Signature>", "", text, flags=re.DOTALL)
    return re.sub(r"<GVCN>.*?</GVCN>", "", text, flags=re.DOTALL)


def soft(policy: signing.SignaturePolicy) -> signing.SignaturePolicy:
    """One test key signs for everybody."""
    off = dict.fromkeys(policy.severities, signing.Severity.OFF)
    return replace(policy, severities=off)


def check(cast, data: bytes) -> None:
    policy = soft(cast.primary)
    report = signing.verify(data, policy, cast.trust, at=cast.now)
    assert report.code == "OK", report.message
    again = verify_again(data, policy, cast.trust, at=cast.now)
    assert again.passed, again.message
    assert agrees(report, again)
    forged = data.replace(b"<HO_VA_TEN>", b"<HO_VA_TEN>X", 1)
    assert signing.verify(forged, policy, cast.trust, at=cast.now).code == "DIGEST_MISMATCH"
    assert not verify_again(forged, policy, cast.trust, at=cast.now).passed


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="no java program on this machine")
@pytest.mark.parametrize("prefix", ["", "ds"])
@pytest.mark.parametrize("c14n", [INCLUSIVE, INCLUSIVE11, EXCLUSIVE])
def test_a_record_signed_by_the_jdk_is_accepted(cast, tmp_path, c14n, prefix):
    identity = cast.pki.organisation(cast.province.schools[0])
    p12 = serialize_key_and_certificates(
        b"key", identity.key, identity.certificate, None, BestAvailableEncryption(b"test")
    )
    (tmp_path / "key.p12").write_bytes(p12)
    (tmp_path / "in.xml").write_text(unsigned(cast), "utf-8")
    moment = identity.certificate.not_valid_before_utc.replace(microsecond=0).isoformat()
    command = [
        "java",
        str(JAVA),
        str(tmp_path / "in.xml"),
        str(tmp_path / "out.xml"),
        str(tmp_path / "key.p12"),
        "test",
    ]
    done = subprocess.run(
        [*command, c14n, prefix, moment, "CBQL", "KY_PHAT_HANH"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    check(cast, (tmp_path / "out.xml").read_bytes())


TEMPLATE = """<{p}Signature {ns}="http://www.w3.org/2000/09/xmldsig#" Id="sig-{place}"><{p}SignedInfo>
<{p}CanonicalizationMethod Algorithm="{c14n}"/><{p}SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>
<{p}Reference URI="#data"><{p}Transforms><{p}Transform Algorithm="{c14n}"/></{p}Transforms>
<{p}DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><{p}DigestValue/></{p}Reference>
<{p}Reference URI="#time-{place}"><{p}DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><{p}DigestValue/>
</{p}Reference></{p}SignedInfo><{p}SignatureValue/><{p}KeyInfo><{p}X509Data><{p}X509SubjectName/><{p}X509Certificate/>
</{p}X509Data></{p}KeyInfo><{p}Object Id="time-{place}">{time}</{p}Object></{p}Signature>"""
MOMENTS = {
    "ds": "<{p}SigningTime>{at}</{p}SigningTime>",
    "none": "<SigningTime xmlns=''>{at}</SigningTime>",
    "own": "<t:SigningTime xmlns:t='http://vendor.example/t'>{at}</t:SigningTime>",
}
AROUND = "<{p}SignatureProperties><{p}SignatureProperty Target='#s'>%s</{p}SignatureProperty></{p}SignatureProperties>"
PLAIN = "<SignatureProperties xmlns=''><SignatureProperty Target='#s'>%s</SignatureProperty></SignatureProperties>"
TIMES = {name: AROUND % moment for name, moment in MOMENTS.items()} | {"plain": PLAIN % MOMENTS["none"]}


@pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="no xmlsec1 program on this machine")
@pytest.mark.parametrize("form", sorted(TIMES))
@pytest.mark.parametrize("prefix", ["", "ds:"])
@pytest.mark.parametrize("c14n", [INCLUSIVE, EXCLUSIVE])
def test_a_record_signed_by_xmlsec1_is_accepted(cast, tmp_path, c14n, prefix, form):
    identity = cast.pki.organisation(cast.province.schools[0])
    key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "cert.pem").write_bytes(identity.certificate.public_bytes(Encoding.PEM))
    at = identity.certificate.not_valid_before_utc.replace(microsecond=0).isoformat()
    text = unsigned(cast)
    ns = "xmlns:ds" if prefix else "xmlns"
    for place in ("CBQL", "KY_PHAT_HANH"):
        time = TIMES[form].format(p=prefix, at=at)
        text = text.replace(
            f"</{place}>", TEMPLATE.format(p=prefix, ns=ns, c14n=c14n, place=place, time=time) + f"</{place}>"
        )
    file = tmp_path / "record.xml"
    file.write_text(text, "utf-8")
    for place in ("CBQL", "KY_PHAT_HANH"):
        command = ["xmlsec1", "--sign", "--privkey-pem", f"{tmp_path}/key.pem,{tmp_path}/cert.pem"]
        for name in (
            "DU_LIEU_HOC_BA",
            "http://www.w3.org/2000/09/xmldsig#:Object",
            "http://www.w3.org/2000/09/xmldsig#:Signature",
        ):
            command += ["--id-attr:Id", name]
        command += ["--node-id", f"sig-{place}", "--output", str(file), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    check(cast, file.read_bytes())
