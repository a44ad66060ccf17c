"""A wish becomes parcels: the right number, through both doors, in every form, the same for the same seed."""

import io
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from portal.rehearsal.batches import LIST_ID, signed_list, single_batch, unsigned_batch, zip_batch
from portal.rehearsal.making import Maker, Wish
from portal.rehearsal.parcels import API, BROWSER
from portal.rehearsal.pki import Pki
from portal.rehearsal.planting import planting
from portal.rehearsal.province import Province
from portal.rehearsal.records import make_record


def test_exactly_the_wished_records_are_made(province: Province, pki: Pki) -> None:
    maker = Maker(province, pki, {})
    parcels = list(maker.parcels(Wish(130, mix=0.8, batch_size=12)))
    entries = [entry for parcel in parcels for entry in parcel.entries]
    levels = Counter(entry.level for entry in entries)
    assert len(entries) == 130
    assert levels["02"] == 104
    assert len({entry.lookup_uuid for entry in entries}) == 130
    assert {parcel.door for parcel in parcels} == {API, BROWSER}


def test_the_same_seed_makes_the_same_parcels(province: Province, pki: Pki) -> None:
    def digests() -> list[str]:
        wish = Wish(60, mix=1.0, batch_size=10, planting=planting("9", 0.2, revocation=True))
        # Elliptic signatures of cryptography are made deterministic, so the bytes may be compared.
        return [entry.sha256 for one in Maker(province, pki, {}).parcels(wish) for entry in one.entries]

    assert digests() == digests()


def test_the_next_hand_in_goes_on_where_the_last_one_ended(province: Province, pki: Pki) -> None:
    maker = Maker(province, pki, {})
    first = [entry.lookup_uuid for one in maker.parcels(Wish(40, 1.0, 10)) for entry in one.entries]
    later = Maker(province, pki, dict(maker.next_number))
    second = [entry.lookup_uuid for one in later.parcels(Wish(40, 1.0, 10)) for entry in one.entries]
    assert not set(first) & set(second)


def test_a_stashed_parcel_reads_back_the_same_bytes(province: Province, pki: Pki, tmp_path: Path) -> None:
    parcel = next(Maker(province, pki, {}).parcels(Wish(5, 1.0, 5)))
    stashed = parcel.stashed(tmp_path)
    assert not stashed.data
    assert stashed.read() == parcel.read() == parcel.data


def test_all_forms_carry_the_records_bytes_unchanged(province: Province, pki: Pki) -> None:
    school = province.schools[1]
    records = [make_record(province, pki, school, number) for number in range(5)]
    at = province.calendar.moment(month=5, day=29)
    for data in (signed_list(records, identity=pki.organisation(school), at=at), unsigned_batch(records).data):
        assert all(record.data in data for record in records)
        root = etree.fromstring(data)
        assert (root.tag, root.get("id"), len(root.findall("HOC_BA"))) == ("DANH_SACH_HOC_BA", LIST_ID, 5)
    assert single_batch(records[0]).data.endswith(records[0].data)
    for per_file in (1, 2):
        with zipfile.ZipFile(io.BytesIO(zip_batch(records, per_file=per_file).data)) as archive:
            inside = b"".join(archive.read(name) for name in archive.namelist())
        assert all(record.data in inside for record in records)


@pytest.mark.parametrize("doors", [(API,), (BROWSER,)])
def test_doors_can_be_chosen(province: Province, pki: Pki, doors: tuple[str, ...]) -> None:
    parcels = Maker(province, pki, {}).parcels(Wish(30, 1.0, 10, doors=doors))
    assert {parcel.door for parcel in parcels} == set(doors)
