"""What a rehearsal remembers between commands: seed, dates, demonstration passwords, how far each school is.

One JSON file (mode 0600) under `var/rehearsal`; replaced as a whole, so a killed command leaves the old one.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from portal.rehearsal.calendar import Calendar
from portal.rehearsal.keys import write_private
from portal.rehearsal.pki import Pki
from portal.rehearsal.pki_files import open_pki
from portal.rehearsal.province import Province, make_province


class NotPrepared(Exception):
    """There is no rehearsal in this folder; the message says what to do."""


@dataclass(frozen=True)
class State:
    """`next_number` is the first pupil that has not handed in yet, by school code."""

    seed: str
    start: int
    schools: int
    communes: int
    password: str = field(repr=False)
    api_password: str = field(repr=False)
    prepared_at: str
    next_number: dict[str, int] = field(default_factory=dict)

    @property
    def calendar(self) -> Calendar:
        return Calendar(self.start)

    def province(self) -> Province:
        return make_province(seed=self.seed, calendar=self.calendar, schools=self.schools, communes=self.communes)

    def pki(self, folder: Path) -> Pki:
        return open_pki(folder / "pki", seed=self.seed, calendar=self.calendar)

    def advanced(self, numbers: dict[str, int]) -> "State":
        return replace(self, next_number={**self.next_number, **numbers})


def new_state(*, seed: str, schools: int, communes: int, password: str, api_password: str, now: datetime) -> State:
    """A rehearsal of the last school year that was finished by `now`."""
    return State(
        seed=seed,
        start=Calendar.last_finished(now).start,
        schools=schools,
        communes=communes,
        password=password,
        api_password=api_password,
        prepared_at=now.isoformat(),
    )


def load_state(folder: Path) -> State:
    """Raises NotPrepared."""
    path = folder / "state.json"
    try:
        return State(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NotPrepared(f"Chưa có tỉnh mẫu ở {folder}. Hãy chạy: python3 manage.py rehearsal prepare") from None
    except (ValueError, TypeError) as problem:
        raise NotPrepared(f"Tệp {path} không đọc được ({problem}). Hãy xóa thư mục này rồi chuẩn bị lại.") from problem


def save_state(state: State, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(folder / "state.json", json.dumps(asdict(state), ensure_ascii=False, indent=1).encode())
