"""Which signatures a document must carry: where each stands, what exactly it covers, who signs, with what.

A policy is a value made from a profile's `policy.toml`; there is no global one. `policy_from_mapping` refuses anything
it does not know: a misspelt key must not silently switch a rule off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, cast

from signing.algorithms import AlgorithmPolicy, Padding
from signing.errors import PolicyUnreadable


class Severity(StrEnum):
    """What the breach of a soft rule does."""

    ERROR = "error"
    WARNING = "warning"
    OFF = "off"


class SignerKind(StrEnum):
    PERSON = "person"
    ORGANISATION = "organisation"


# Soft rules and what their breach does unless a profile says otherwise (contents.md: what a rule's breach means).
SOFT_RULES: Final[Mapping[str, Severity]] = {
    "order": Severity.WARNING,  # a signature dated before one that must come first
    "signed_date": Severity.WARNING,  # NGAY_KY beside the signature is another day than the signed time
    "cccd": Severity.ERROR,  # SO_CCCD beside the signature is not the certificate's number
    "signer_kind": Severity.ERROR,  # a person's certificate where the organisation signs, or the other way round
    "same_certificate": Severity.ERROR,  # one certificate for two people, or for a person and the organisation
    "subject_name": Severity.WARNING,  # X509SubjectName does not name the certificate's subject
    "time_stamp": Severity.WARNING,  # a time-stamp beside the signature is broken, or of another one
}


@lru_cache(maxsize=512)
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


@dataclass(frozen=True, slots=True)
class SignatureSlot:
    """One place where a signature stands (or, when `repeated`, the place of one signature per covered row)."""

    role: str
    place: str
    covers: str
    required: bool = True
    repeated: bool = False
    pair_on: str | None = None
    signer: SignerKind = SignerKind.PERSON
    cccd: str | None = None
    after: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """Child steps from the root to the element that holds the Signature."""
        return _steps(self.place)[:-1]

    @property
    def target(self) -> tuple[str, ...]:
        """Child steps from the root to the covered element; empty means the root itself."""
        return () if self.covers == "." else _steps(self.covers)


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """Everything `signing.verify` needs to know about one kind of document."""

    name: str
    slots: tuple[SignatureSlot, ...]
    root: str = "HOC_BA"
    id_attributes: tuple[str, ...] = ("Id", "id")
    algorithms: AlgorithmPolicy = field(default_factory=AlgorithmPolicy)
    # elements whose inner signatures belong to another policy (the records of a list)
    nested: tuple[str, ...] = ()
    # simple elements that may stand beside a signature; unsigned, so never read as data
    beside: tuple[str, ...] = ("NGAY_KY", "SO_CCCD", "HO_VA_TEN")
    content: str | None = None
    revocation: str = "required"
    binding: str = "optional"
    xades: bool = True
    max_future: timedelta = timedelta(minutes=5)
    order_tolerance: timedelta = timedelta(0)
    earliest: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    severities: Mapping[str, Severity] = field(default_factory=lambda: dict(SOFT_RULES))

    @property
    def main(self) -> str:
        """Path of the element whose canonical digest identifies the content."""
        return self.content or min((slot.covers for slot in self.slots), key=lambda path: (path != ".", len(path)))

    def severity(self, rule: str) -> Severity:
        """What the breach of a soft rule does under this policy."""
        return self.severities.get(rule, SOFT_RULES[rule])


# Ten years in minutes: beyond, a rule on times says nothing, and dates run out.
_MOST: Final = 5_256_000
# One child step: a plain name; a step that names several elements would leave open which one is meant.
_NAME: Final = r"[^\W\d][\w.-]*"
_STEP: Final = re.compile(rf"{_NAME}\Z")
_PAIR: Final = re.compile(rf"(?:{_NAME}/)*@{_NAME}\Z")
_SLOT_KEYS: Final = frozenset({"role", "place", "covers", "required", "repeated", "pair_on", "signer", "cccd", "after"})
_KEYS: Final = frozenset(
    {
        "name",
        "root",
        "id_attributes",
        "slots",
        "algorithms",
        "nested",
        "beside",
        "content",
        "revocation",
        "binding",
        "xades",
        "max_future_minutes",
        "order_tolerance_minutes",
        "earliest",
        "severities",
    }
)
_ALGORITHM_KEYS: Final = frozenset({"digests", "paddings", "min_rsa_bits", "min_ec_bits", "sha1_until"})


def policy_from_mapping(data: Mapping[str, object]) -> SignaturePolicy:
    """Read a policy from the mapping of a `policy.toml`.

    Raises `PolicyUnreadable` for unknown keys, unknown values, slots that contradict each other.
    """
    _known(data, _KEYS, "policy")
    values: dict[str, Any] = {"name": _text(data, "name")}
    for key in ("root", "content"):
        if key in data:
            values[key] = _text(data, key)
    for key in ("id_attributes", "nested", "beside"):
        if key in data:
            values[key] = _texts(data, key)
    values["revocation"] = _one_of(data, "revocation", ("required", "off"), "required")
    values["binding"] = _one_of(data, "binding", ("required", "optional"), "optional")
    values["xades"] = _flag(data, "xades", default=True)
    for key, target in (("max_future_minutes", "max_future"), ("order_tolerance_minutes", "order_tolerance")):
        if key in data:
            values[target] = timedelta(minutes=_number(data, key))
    if "earliest" in data:
        values["earliest"] = _moment(data["earliest"])
    values["severities"] = _severities(data.get("severities", {}))
    values["algorithms"] = _algorithms(data.get("algorithms", {}))
    slots = data.get("slots")
    if not isinstance(slots, Sequence) or isinstance(slots, str) or not slots:
        raise PolicyUnreadable("POLICY_NO_SLOTS", f"Chính sách {values['name']} không có chữ ký nào.")
    values["slots"] = tuple(_slot(item) for item in slots)
    policy = SignaturePolicy(**values)
    check_policy(policy)
    return policy


def check_policy(policy: SignaturePolicy) -> None:
    """Refuse a policy whose slots contradict each other."""
    roles = [slot.role for slot in policy.slots]
    places = [slot.place for slot in policy.slots]
    if len(set(roles)) != len(roles) or len(set(places)) != len(places):
        raise PolicyUnreadable(
            "POLICY_SLOT_TWICE", f"Chính sách {policy.name} có hai chữ ký cùng vai trò hoặc cùng chỗ."
        )
    for slot in policy.slots:
        _check_slot(policy, slot, roles)


def _check_slot(policy: SignaturePolicy, slot: SignatureSlot, roles: Sequence[str]) -> None:
    where = f"Chính sách {policy.name}, chữ ký {slot.role}: "
    covers = [] if slot.covers == "." else slot.covers.split("/")
    if slot.place.split("/")[-1] != "Signature" or not all(map(_STEP.match, [*slot.place.split("/"), *covers])):
        raise PolicyUnreadable("POLICY_PLACE", where + "`place` phải là đường dẫn kết thúc bằng Signature.")
    if set(slot.after) - set(roles) or slot.role in slot.after:
        raise PolicyUnreadable("POLICY_ORDER", where + "`after` nêu vai trò không có.")
    if slot.repeated != (slot.pair_on is not None):
        raise PolicyUnreadable("POLICY_PAIR", where + "`repeated` và `pair_on` phải đi cùng nhau.")
    if slot.pair_on is not None and not _PAIR.match(slot.pair_on):
        raise PolicyUnreadable("POLICY_PAIR", where + "`pair_on` phải có dạng TAG/@Id.")
    inside = slot.target == slot.steps[: len(slot.target)]
    # Outside the element it signs, save the enveloped signature directly below the root it signs.
    if inside and not (slot.covers == "." and slot.place == "Signature"):
        raise PolicyUnreadable("POLICY_INSIDE", where + "chữ ký phải nằm ngoài phần tử mà nó ký.")


def _slot(item: object) -> SignatureSlot:
    if not isinstance(item, Mapping):
        raise PolicyUnreadable("POLICY_SLOT", "Mỗi chữ ký trong chính sách phải là một bảng.")
    _known(item, _SLOT_KEYS, "slot")
    pair_on = item.get("pair_on")
    cccd = item.get("cccd")
    return SignatureSlot(
        role=_text(item, "role"),
        place=_text(item, "place"),
        covers=_text(item, "covers"),
        required=_flag(item, "required", default=True),
        repeated=_flag(item, "repeated", default=False),
        pair_on=None if pair_on is None else _text(item, "pair_on"),
        signer=SignerKind(_one_of(item, "signer", ("person", "organisation"), "person")),
        cccd=None if cccd is None else _text(item, "cccd"),
        after=_texts(item, "after") if "after" in item else (),
    )


def _algorithms(data: object) -> AlgorithmPolicy:
    table = _table(data, "algorithms")
    _known(table, _ALGORITHM_KEYS, "algorithms")
    values: dict[str, Any] = {}
    if "digests" in table:
        values["digests"] = frozenset(_texts(table, "digests"))
        if values["digests"] - {"sha256", "sha384", "sha512"}:
            raise PolicyUnreadable("POLICY_ALGORITHM", "Chỉ cho phép sha256, sha384, sha512; SHA-1 dùng sha1_until.")
    if "paddings" in table:
        try:
            values["paddings"] = frozenset(Padding(name) for name in _texts(table, "paddings"))
        except ValueError:
            raise PolicyUnreadable("POLICY_ALGORITHM", "`paddings` chỉ nhận PKCS1, PSS, ECDSA.") from None
    for key, floor in (("min_rsa_bits", 2048), ("min_ec_bits", 256)):
        if key in table:
            values[key] = int(_number(table, key))
            if values[key] < floor:
                raise PolicyUnreadable("POLICY_ALGORITHM", f"`{key}` không được dưới {floor}.")
    if "sha1_until" in table:
        values["sha1_until"] = _moment(table["sha1_until"])
    return AlgorithmPolicy(**values)


def _severities(data: object) -> Mapping[str, Severity]:
    table = _table(data, "severities")
    _known(table, frozenset(SOFT_RULES), "severities")
    try:
        return {**SOFT_RULES, **{name: Severity(str(value)) for name, value in table.items()}}
    except ValueError:
        raise PolicyUnreadable("POLICY_SEVERITY", "Mức độ chỉ nhận error, warning, off.") from None


def _table(data: object, name: str) -> Mapping[str, object]:
    if not isinstance(data, Mapping):
        raise PolicyUnreadable("POLICY_VALUE", f"`{name}` phải là một bảng.")
    return cast("Mapping[str, object]", data)


def _known(data: Mapping[str, object], keys: frozenset[str], where: str) -> None:
    unknown = sorted(set(data) - keys)
    if unknown:
        raise PolicyUnreadable("POLICY_KEY", f"Khoá lạ trong {where}: {', '.join(map(str, unknown))}.")


def _text(data: Mapping[str, object], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise PolicyUnreadable("POLICY_VALUE", f"`{key}` phải là chuỗi ký tự.")
    return value


def _texts(data: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = data[key]
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise PolicyUnreadable("POLICY_VALUE", f"`{key}` phải là danh sách chuỗi ký tự.")
    return tuple(value)


def _number(data: Mapping[str, object], key: str) -> float:
    value = data[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        raise PolicyUnreadable("POLICY_VALUE", f"`{key}` phải là số từ 0 đến {_MOST}.")
    return value


def _flag(data: Mapping[str, object], key: str, *, default: bool) -> bool:
    value = data.get(key, default)
    if not isinstance(value, bool):
        raise PolicyUnreadable("POLICY_VALUE", f"`{key}` phải là true hoặc false.")
    return value


def _one_of(data: Mapping[str, object], key: str, allowed: tuple[str, ...], default: str) -> str:
    value = data.get(key, default)
    if value not in allowed:
        raise PolicyUnreadable("POLICY_VALUE", f"`{key}` chỉ nhận: {', '.join(allowed)}.")
    return str(value)


def _moment(value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise PolicyUnreadable("POLICY_VALUE", "Mốc thời gian phải có ngày, giờ và múi giờ.")
    return value
