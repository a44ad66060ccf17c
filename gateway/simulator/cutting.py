"""Cut the records out of a list as raw bytes, without touching one, independently of the portal's cutter.

A `<` cannot stand inside an attribute value, what stands in CDATA is blanked for the search, and documents with
comments, instructions or a document type are not cut at all, so looking for the tags is exact here. The caller
compares the number of pieces with what the parser saw.
"""

from __future__ import annotations

import re

_START = re.compile(rb"<HOC_BA(?=[\s>/])")
_END = re.compile(rb"</HOC_BA\s*>")
_CDATA = re.compile(rb"<!\[CDATA\[.*?\]\]>", re.DOTALL)


class NotCuttable(Exception):
    """The list is built in a way that leaves doubt where a record begins or ends."""


def records(document: bytes) -> list[bytes]:
    """The bytes of every `HOC_BA`, from its `<` to the `>` of its end tag, in document order."""
    body = (
        document[document.find(b"?>") + 2 :]
        if document.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<?xml")
        else document
    )
    # Of the same length, so that every place found in it is the place in the document.
    searched = _CDATA.sub(lambda found: b" " * len(found[0]), body) if b"<!" in body else body
    if b"<!" in searched or b"<?" in searched:
        raise NotCuttable("danh sách chứa chú thích, khai báo DTD hoặc chỉ thị xử lý")
    pieces: list[bytes] = []
    place = 0
    while (start := _START.search(searched, place)) is not None:
        end = _END.search(searched, start.end())
        if end is None:
            raise NotCuttable("HOC_BA không có thẻ đóng")
        if _START.search(searched, start.end(), end.start()) is not None:
            raise NotCuttable("HOC_BA lồng nhau")
        pieces.append(body[start.start() : end.end()])
        place = end.end()
    return pieces
