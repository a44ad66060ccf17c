"""The simulator's own cutter: exact, or it says that it is in doubt."""

import pytest

from gateway.simulator.cutting import NotCuttable, records

PLAIN = b"<HOC_BA id='1'><A>x</A></HOC_BA>"


def a_list(*pieces: bytes) -> bytes:
    return b'<?xml version="1.0"?>\n<DANH_SACH_HOC_BA>' + b"\n".join(pieces) + b"</DANH_SACH_HOC_BA>"


@pytest.mark.parametrize(
    "text", [b"<![CDATA[Nguy]]>", b"<![CDATA[</HOC_BA>]]>", b"<![CDATA[<HOC_BA>]]>", b"<![CDATA[<!-- <? ]]>"]
)
def test_text_in_cdata_is_cut_with_its_record(text):
    spelt = b"<HOC_BA><A>" + text + b"</A></HOC_BA>"
    assert records(a_list(PLAIN, spelt, PLAIN)) == [PLAIN, spelt, PLAIN]


@pytest.mark.parametrize("piece", [b"<!-- x -->", b"<?x y?>", b"<!DOCTYPE a>", b"<![CDATA[ <HOC_BA>"])
def test_a_list_that_leaves_doubt_is_not_cut(piece):
    with pytest.raises(NotCuttable):
        records(a_list(PLAIN, piece, PLAIN))
