"""The one parser of the house: bytes in, a gated tree or a list of byte offsets out.

Reading order: `gate` (what is let in at all), `cutting` (a list of records cut without touching a byte), `reading`
(text of elements), `canonical` (canonical bytes). Nothing else in the house parses XML.
"""

from signing.xml.canonical import canonical_bytes
from signing.xml.cutting import Cut, CutList, cut, parse_list
from signing.xml.gate import LIST_LIMITS, RECORD_LIMITS, Document, Element, Limits, parse
from signing.xml.reading import child, child_path, child_text, children, local_name, text_of

__all__ = [
    "LIST_LIMITS",
    "RECORD_LIMITS",
    "Cut",
    "CutList",
    "Document",
    "Element",
    "Limits",
    "canonical_bytes",
    "child",
    "child_path",
    "child_text",
    "children",
    "cut",
    "local_name",
    "parse",
    "parse_list",
    "text_of",
]
