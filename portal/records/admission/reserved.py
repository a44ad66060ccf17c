"""The ids of the package in which records travel, and of our seal on it: no record may carry them.

The seal refers to its parts by these ids. A second element of such a name would make the reference ambiguous, and the
Ministry would refuse our seal over every record of the package.
"""

import re
from typing import Final

from portal.records.packing import ROOT_ID
from signing import xml
from signing.errors import MalformedDocument
from signing.sealing import OWN_IDS
from signing.sealing.spelling import SIGNATURE_ID, TIME_ID

_RESERVED: Final = {ROOT_ID} | OWN_IDS
_PLAIN: Final = tuple(one.encode() for one in (ROOT_ID, SIGNATURE_ID, TIME_ID))  # the others begin with one of these
# An id whose value is spelt with character references may be anything: only a parser can tell.
_SPELT_OUT: Final = re.compile(rb"""(?i:id)\s*=\s*(?:"[^"<]*&|'[^'<]*&)""")


def refuse_reserved_id(data: bytes) -> None:
    """Raises MalformedDocument. Signatures included, so the whole file is read; nearly never, for a look at the bytes
    shows that it is not needed."""
    if not any(one in data for one in _PLAIN) and (b"&#" not in data or _SPELT_OUT.search(data) is None):
        return
    for element in xml.parse(data).root.iter():
        for name, value in element.attrib.items():
            if value in _RESERVED and str(name).rpartition("}")[2].lower() == "id":
                raise MalformedDocument(
                    "ID_RESERVED",
                    f"Học bạ dùng id “{value}”, vốn dành riêng cho danh sách gửi Bộ. Hãy đặt id khác rồi ký lại.",
                )
