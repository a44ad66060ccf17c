"""Token and catalogues: the three services of the Ministry whose messages CV 2088 does not print. All [W].

Field names are kept here, in one place; the endpoint's description may rename those of the token's answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from .errors import MessageRefused
from .fields import as_object, optional_text, text

_LONGEST_LIFE: Final = 10**9  # seconds; whoever names more does not name seconds


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """`password` is the hash in the form the endpoint asks for."""

    user_name: str
    password: str
    unit_code: str

    def to_json(self) -> dict[str, object]:
        return {"user_name": self.user_name, "password": self.password, "ma_don_vi": self.unit_code}

    @classmethod
    def from_json(cls, value: object) -> Self:
        source = as_object(value)
        return cls(
            user_name=text(source, "user_name", max_length=200),
            password=text(source, "password", max_length=200),
            unit_code=text(source, "ma_don_vi", max_length=100),
        )


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """`expires_in` in seconds; 0 when the other side does not say, or says it in another way (a date, an epoch)."""

    token: str
    expires_in: int = 0

    def to_json(
        self,
        *,
        token_field: str = "token",  # noqa: S107 - a field's name
        life_field: str = "expires_in",
    ) -> dict[str, object]:
        return {token_field: self.token, life_field: self.expires_in}

    @classmethod
    def from_json(
        cls,
        value: object,
        *,
        token_field: str = "token",  # noqa: S107 - a field's name
        life_field: str = "expires_in",
    ) -> Self:
        source = as_object(value)
        return cls(token=text(source, token_field), expires_in=_seconds(source.get(life_field)))


def _seconds(life: object) -> int:
    if isinstance(life, float) and life.is_integer():
        life = int(life)
    if isinstance(life, str) and life.isascii() and life.isdigit() and len(life) <= 12:
        life = int(life)
    return life if isinstance(life, int) and not isinstance(life, bool) and 0 < life <= _LONGEST_LIFE else 0


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One signature kind or one certificate provider."""

    code: str
    name: str

    def to_json(self) -> dict[str, object]:
        return {"ma": self.code, "ten": self.name}

    @classmethod
    def from_json(cls, value: object) -> Self:
        source = as_object(value)
        return cls(code=text(source, "ma", max_length=100), name=optional_text(source, "ten", max_length=300))


def catalogue_from_json(value: object) -> tuple[CatalogueEntry, ...]:
    """A list of entries, bare or under `data`."""
    rows = as_object(value).get("data") if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise MessageRefused("FIELD_WRONG_TYPE", "Danh mục phải là một mảng.", "data")
    return tuple(CatalogueEntry.from_json(row) for row in rows)
