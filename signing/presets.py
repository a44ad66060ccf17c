"""Policies of the layouts that public texts describe, for the command line where no profile is at hand.

The portal never uses these: its profiles bring their own `policy.toml`. Which one fits is guessed by structure alone.
"""

from __future__ import annotations

from typing import Final

from signing.policy import SignaturePolicy, policy_from_mapping
from signing.xml import LIST_LIMITS, child, parse

_REGION: Final = "DANH_SACH_THONG_TIN_KY"
_ISSUED: Final = f"{_REGION}/PHAT_HANH_HOC_BA"
_ROWS: Final = "DU_LIEU_HOC_BA/THONG_TIN_HOC_BA/TONG_KET/BANG_DIEM/DIEM_TONG_KET"

LIST_POLICY: Final = policy_from_mapping(
    {
        "name": "list",
        "root": "DANH_SACH_HOC_BA",
        "nested": ["HOC_BA"],
        "slots": [{"role": "SENDER", "place": "Signature", "covers": ".", "signer": "organisation"}],
    }
)


def _person(role: str, place: str, covers: str, **more: object) -> dict[str, object]:
    return {"role": role, "place": f"{place}/Signature", "covers": covers, "cccd": "SO_CCCD", **more}


def _issuer(place: str) -> dict[str, object]:
    return {
        "role": "KY_PHAT_HANH", "place": f"{place}/Signature", "covers": "DU_LIEU_HOC_BA", "signer": "organisation",
        "after": ["CBQL"],
    }  # fmt: skip


FIRST_LAYOUT: Final = policy_from_mapping(
    {
        "name": "first-layout",
        "slots": [
            _person("GVCN", f"{_REGION}/GVCN", "DU_LIEU_HOC_BA", required=False),
            _person("CBQL", f"{_REGION}/CBQL", "DU_LIEU_HOC_BA", after=["GVCN"]),
            _issuer(f"{_REGION}/KY_PHAT_HANH"),
        ],
    }
)
SECOND_LAYOUT: Final = policy_from_mapping(
    {
        "name": "second-layout",
        "slots": [
            _person("GVBM", f"{_REGION}/DANH_SACH_GVBM/GVBM", _ROWS, repeated=True, pair_on="GVBM/@Id"),
            _person("GVCN", f"{_REGION}/GVCN", "DU_LIEU_HOC_BA/THONG_TIN_HOC_BA", after=["GVBM"]),
            _person("CBQL", f"{_ISSUED}/CBQL", "DU_LIEU_HOC_BA", after=["GVBM", "GVCN"]),
            _issuer(f"{_ISSUED}/KY_PHAT_HANH"),
        ],
    }
)


def guess_policy(data: bytes) -> SignaturePolicy:
    """The preset whose structure the document has. Raises `MalformedDocument`."""
    root = parse(data, limits=LIST_LIMITS).root
    if root.tag == LIST_POLICY.root:
        return LIST_POLICY
    second = child(root, _ISSUED) is not None or child(root, "DU_LIEU_HOC_BA/THONG_TIN_HOC_BA") is not None
    return SECOND_LAYOUT if second else FIRST_LAYOUT
