"""Folders of vectors as other people write them: tables, words, names, layouts of folders, records of our own kind."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing.sealing import seal
from signing.vectors import run_vectors
from signing.vectors.documents import judge_document, judge_plain

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def folder(cast, tmp_path):
    """A set of records with the authorities beside them."""
    (tmp_path / "own").mkdir()
    for number, authority in enumerate((cast.pki.root, cast.pki.public_issuer, cast.pki.special_issuer)):
        der = authority.identity.certificate.public_bytes(Encoding.DER)
        (tmp_path / "own" / f"{number}.crt").write_bytes(der)
    first, second = cast.record(0), cast.record(1)
    (tmp_path / "own" / "primary.xml").write_bytes(first)
    (tmp_path / "own" / "secondary.xml").write_bytes(second)
    (tmp_path / "own" / "list.xml").write_bytes(b"<DANH_SACH_HOC_BA>" + first + second + b"</DANH_SACH_HOC_BA>")
    (tmp_path / "own" / "changed.xml").write_bytes(first.replace("Tiểu học".encode(), "Trung học".encode()))
    start, end = first.index(b"<DANH_SACH_THONG_TIN_KY"), first.index(b"</HOC_BA>")
    (tmp_path / "own" / "unsigned.xml").write_bytes(first[:start] + first[end:])
    return tmp_path


def index(folder, *lines, head="path\texpected\treason"):
    materials = [f"own/{number}.crt\tmaterial\t" for number in range(3)]
    (folder / "INDEX.tsv").write_bytes("\n".join([head, *lines, *materials, ""]).encode())


def run(folder):
    return [(item.path, item.got, item.code, item.agrees) for item in run_vectors(folder, at=NOW)]


def test_records_and_lists_are_judged_by_their_own_policies(folder):
    names = {"primary": "valid", "secondary": "valid", "list": "valid", "changed": "invalid", "unsigned": "invalid"}
    index(folder, *(f"own/{name}.xml\t{expected}\t" for name, expected in names.items()))
    assert run(folder) == [
        ("own/primary.xml", "valid", "OK", True),
        ("own/secondary.xml", "valid", "OK", True),
        ("own/list.xml", "unsupported", "SIGNATURE_MISSING", True),
        ("own/changed.xml", "invalid", "DIGEST_MISMATCH", True),
        ("own/unsigned.xml", "unsupported", "SIGNATURE_MISSING", True),
    ]


class Key:
    """A school's key as the sealing storey wants it."""

    def __init__(self, identity) -> None:
        self.certificate = identity.certificate.public_bytes(Encoding.DER)
        self.chain = ()
        self.sign = lambda data: identity.sign(data, "sha256")


def test_a_sealed_list_passes_and_none_whose_records_were_changed_under_the_seal(folder, cast):
    key = Key(cast.pki.organisation(cast.province.schools[0]))
    plain = b'<DANH_SACH_HOC_BA id="l">' + cast.record(0) + cast.record(1) + b"</DANH_SACH_HOC_BA>"
    sealed = seal(plain, key=key, at=datetime(2026, 6, 1, tzinfo=UTC))
    (folder / "own" / "list.xml").write_bytes(sealed)
    (folder / "own" / "cut.xml").write_bytes(sealed.replace(cast.record(1), b""))
    (folder / "own" / "more.xml").write_bytes(sealed.replace(cast.record(1), cast.record(1) + cast.record(0, 8)))
    index(folder, "own/list.xml\tvalid\t", "own/cut.xml\tinvalid\t", "own/more.xml\tinvalid\t")
    assert [item[1:3] for item in run(folder)] == [
        ("valid", "OK"),
        ("invalid", "DIGEST_MISMATCH"),
        ("invalid", "DIGEST_MISMATCH"),
    ]


def test_one_forged_record_spoils_a_list(folder, cast):
    changed = (folder / "own" / "changed.xml").read_bytes()
    data = b"<DANH_SACH_HOC_BA>" + cast.record(0) + changed + b"</DANH_SACH_HOC_BA>"
    (folder / "own" / "list.xml").write_bytes(data)
    index(folder, "own/list.xml\tinvalid\t")
    assert run(folder) == [("own/list.xml", "invalid", "DIGEST_MISMATCH", True)]


def test_other_peoples_tables_are_read_all_the_same(folder):
    head = "\ufeffnote\tPath\tengines\tExpected"
    lines = ["\town\\primary.xml\tx\tPASS\tmore\r", "\t./own/changed.xml\tx\tRejected\r", "\r", "\t\t\t\r"]
    (folder / "INDEX.tsv").write_bytes("\n".join([head + "\r", *lines]).encode())
    for number in range(3):
        (folder / "INDEX.tsv").open("ab").write(f"\n\town/{number}.crt\t\tMaterial\r".encode())
    assert [item[1:] for item in run(folder)] == [("valid", "OK", True), ("invalid", "DIGEST_MISMATCH", True)]


@pytest.mark.parametrize(
    "head",
    [
        "file path\texpected result", "Vector\tExpected verdict", "path\texpected_result", "filepath\tstatus",
        "file_path\toutcome", "input\tshould", "path,expected,reason", "path    expected", "",
    ],
)  # fmt: skip
def test_other_heads_and_none_are_understood(folder, head):
    index(folder, "own/primary.xml\tvalid\t", "own/changed.xml\tinvalid\t", head=head)
    assert [item[1:] for item in run(folder)] == [("valid", "OK", True), ("invalid", "DIGEST_MISMATCH", True)]


@pytest.mark.parametrize("separator", [",", ";", "   "])
def test_other_separators_are_understood(folder, separator):
    index(folder, "own/primary.xml\tvalid\t", "own/changed.xml\tinvalid\t")
    table = folder / "INDEX.tsv"
    table.write_text(table.read_text().replace("\t", separator))
    assert [item[1:] for item in run(folder)] == [("valid", "OK", True), ("invalid", "DIGEST_MISMATCH", True)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["should pass", "MUST_PASS", "positive", "1", "Valid.", "success"], "valid"),
        (["must fail", "must-fail", "should_fail", "negative", "0", "FAILURE", "revoked", "untrusted"], "invalid"),
        (["not supported", "out of scope", "n/a", "unsupported/invalid"], "unsupported"),
    ],
)
def test_other_words_for_the_same_expectation_are_understood(folder, words, expected):
    index(folder, *(f"own/primary.xml\t{word}\t" for word in words))
    assert [item.expected for item in run_vectors(folder, at=NOW)] == [expected] * len(words)


def test_files_beside_the_index_are_one_set(folder):
    for file in (folder / "own").iterdir():
        file.rename(folder / file.name)
    text = "path\texpected\nprimary.xml\tvalid\nchanged.xml\tinvalid\n"
    (folder / "INDEX.tsv").write_text(text + "".join(f"{number}.crt\tmaterial\n" for number in range(3)))
    assert [item[1] for item in run(folder)] == ["valid", "invalid"]


def test_a_folder_of_mere_material_serves_the_sets_of_its_origin(folder):
    (folder / "own-keys").mkdir()
    for number in range(3):
        (folder / "own" / f"{number}.crt").rename(folder / "own-keys" / f"{number}.crt")
    text = "path\texpected\nown/primary.xml\tvalid\n"
    (folder / "INDEX.tsv").write_text(text + "".join(f"own-keys/{number}.crt\tmaterial\n" for number in range(3)))
    assert [item[1] for item in run(folder)] == ["valid"]


@pytest.mark.parametrize(
    "line",
    [
        "own/nowhere.xml\tvalid\t",
        "own\tvalid\t",
        "../x\tinvalid\t",
        "/etc/passwd\tinvalid\t",
        "\tvalid\t",
        "a\0b\tvalid\t",
        "own/" + "x" * 5000 + "\tvalid\t",
    ],
)
def test_a_line_without_a_file_is_told_and_stops_no_other(folder, line):
    index(folder, line, "own/primary.xml\tvalid\t")
    (_, got, code, agrees), good = run(folder)
    assert (got, code, agrees) == ("error", "INDEX_LINE", False)
    assert good[1] == "valid"


def test_an_expectation_that_nobody_knows_agrees_with_nothing(folder):
    index(folder, "own/primary.xml\tmaybe\t", "own/changed.xml\t\t", "own/primary.xml")
    outcomes = list(run_vectors(folder, at=NOW))
    assert [item.got for item in outcomes] == ["valid", "invalid", "valid"]
    assert not any(item.agrees for item in outcomes)
    assert "maybe" in outcomes[0].reason


def test_remarks_quotes_and_long_cells_cost_no_verdict(folder):
    lines = ["# a remark", '"own/primary.xml"\t"valid"\t"he said ""so"""', "#own/primary.xml\tinvalid\t", "  # more"]
    index(folder, *lines, "own/changed.xml\tinvalid\t" + "x" * 300_000, head="# made by hand\n#path\texpected\treason")
    assert [item[1:] for item in run(folder)] == [("valid", "OK", True), ("invalid", "DIGEST_MISMATCH", True)]


def test_a_table_in_utf16_is_read_too(folder):
    index(folder, "own/primary.xml\tvalid\t")
    table = folder / "INDEX.tsv"
    table.write_bytes(table.read_bytes().decode().encode("utf-16"))
    assert [item[1] for item in run(folder)] == ["valid"]


def test_a_bundle_with_words_around_its_certificates_serves_as_material(folder):
    pem = b""
    for number in range(3):
        data = (folder / "own" / f"{number}.crt").read_bytes()
        pem += b"subject=A\n" + x509.load_der_x509_certificate(data).public_bytes(Encoding.PEM)
    (folder / "own" / "all.pem").write_bytes(pem)
    (folder / "INDEX.tsv").write_text("path\texpected\nown/primary.xml\tvalid\nown/all.pem\tmaterial\n")
    assert [item[1] for item in run(folder)] == ["valid"]


@pytest.mark.parametrize(
    "name", ["untrusted-ca", "not_trusted", "UnknownRoot", "unrelated", "invalid-ca", "mallory", "good-ca"]
)
def test_a_root_that_is_named_as_nobodys_anchor_is_none(folder, name):
    """A forger's own root lies beside the files that it forged."""
    (folder / "own" / "0.crt").rename(folder / "own" / f"{name}.crt")
    lines = ["own/primary.xml\tvalid\t", f"own/{name}.crt\tmaterial\t"]
    (folder / "INDEX.tsv").write_text(
        "\n".join(["path\texpected\treason", *lines, *(f"own/{n}.crt\tmaterial\t" for n in (1, 2)), ""])
    )
    trusted = name == "good-ca"
    assert [item[1:3] for item in run(folder)] == [("valid", "OK") if trusted else ("unsupported", "CHAIN_NOT_FOUND")]


@pytest.mark.parametrize("name", ["list.sig", "list.txt", "list.dsig"])
def test_a_signed_document_is_judged_whatever_its_name_ends_in(folder, cast, name):
    key = Key(cast.pki.organisation(cast.province.schools[0]))
    (folder / "a").mkdir()
    data = seal(b'<A id="a"><B>1</B></A>', key=key, at=datetime(2026, 6, 1, tzinfo=UTC))
    (folder / "a" / name).write_bytes(data.replace(b"<B>1", b"<B>2"))
    index(folder, f"a/{name}\tinvalid\t")
    assert [item[1:3] for item in run(folder)] == [("invalid", "DIGEST_MISMATCH")]


@pytest.mark.parametrize("text", ["", "path\treason\n", "path\texpected\n", "\0\0", "\x93\xff"])
def test_a_table_without_its_columns_or_lines_is_refused(tmp_path, text):
    (tmp_path / "INDEX.tsv").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"INDEX\.tsv"):
        list(run_vectors(tmp_path, at=NOW))


def test_what_is_written_in_another_code_page_is_not_called_broken(cast):
    latin = '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode("latin-1")
    wide, bare = "<a>é</a>".encode("utf-16"), "<a>é</a>".encode("utf-16-le")
    found = [judge_plain(data, None)[0] for data in (latin, wide, bare, b"<a>\xe9</a>")]
    assert found == ["unsupported"] * 3 + ["invalid"]
    assert judge_document(latin, cast.trust, NOW)[0] == "unsupported"


@pytest.mark.parametrize(
    "data",
    [
        b'<a xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="file:///etc/passwd"/></a>',
        b'<svg xmlns:x="http://www.w3.org/1999/xlink"><image x:href="file:///etc/passwd"/></svg>',
        b'<java class="java.beans.XMLDecoder"><object class="java.lang.ProcessBuilder"/></java>',
    ],
)
def test_a_plain_document_that_makes_others_fetch_or_run_something_does_not_pass(data):
    assert judge_plain(data, None)[:2] == ("unsupported", "ACTIVE_CONTENT")


@pytest.mark.parametrize("depth", [100, 300, 100_000])
def test_a_document_deeper_than_our_limits_is_not_called_broken(depth):
    assert judge_plain(b"<a>" * depth + b"</a>" * depth, None)[:2] == ("unsupported", "TOO_DEEP")


@pytest.mark.parametrize(
    "data",
    [
        b"<HOC_BA/>", b"<DANH_SACH_HOC_BA/>", b"<HOC_BA\n/>", b"<HOC_BA><DU_LIEU_HOC_BA/></HOC_BA>",
        b'<a:HOC_BA xmlns:a="urn:a"/>', b'<HOC_BA xmlns="urn:a"/>', b"<DANH_SACH_HOC_BA><HOC_BA/></DANH_SACH_HOC_BA>",
    ],
)  # fmt: skip
def test_no_record_passes_without_signatures_even_in_a_set_of_plain_documents(tmp_path, data):
    (tmp_path / "a.xml").write_bytes(data)
    (tmp_path / "INDEX.tsv").write_text("path\texpected\na.xml\tinvalid\n")
    assert [(item.got, item.agrees) for item in run_vectors(tmp_path, at=NOW)] == [("unsupported", True)]
