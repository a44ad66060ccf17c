"""The id of the package in which records travel: no record may carry it.

Our seal refers to the package by this id. A second element of that name would make the reference ambiguous, and the
Ministry would refuse our seal over every record of the package.
"""

import re
from typing import Final

from portal.records.packing import ROOT_ID
from signing import xml
from signing.errors import MalformedDocument

_PLAIN: Final = ROOT_ID.encode()
# An id whose value is spelt with character references may be anything: only a parser can tell.
_SPELT_OUT: Final = re.compile(rb"""(?i:id)\s*=\s*(?:"[^"<]*&|'[^'<]*&)""")


def refuse_reserved_id(data: bytes) -> None:
    """Raises MalformedDocument. Signatures included, so the whole file is read; nearly never, for a look at the bytes
    shows that it is not needed."""
    if _PLAIN not in data and (b"&#" not in data or _SPELT_OUT.search(data) is None):
        return
    for element in xml.parse(data).root.iter():
        for name, value in element.attrib.items():
            if value == ROOT_ID and str(name).rpartition("}")[2].lower() == "id":
                raise MalformedDocument(
                    "ID_RESERVED",
                    f"Học bạ dùng id “{ROOT_ID}”, vốn dành riêng cho danh sách gửi Bộ. Hãy đặt id khác rồi ký lại.",
                )
