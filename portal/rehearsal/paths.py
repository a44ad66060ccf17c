"""Where the doors are: read from the portal's table of addresses, so that a renamed page breaks no rehearsal."""

from django.urls import reverse

from portal.rehearsal.parcels import API, BROWSER

_NAMES = {
    "token": "exchange-token",
    "submit": "exchange-submit",
    "query": "exchange-query",
    "login": "sign-in",
    "hand_in": "hand-in",
}


def door_paths(doors: tuple[str, ...] = (API, BROWSER)) -> dict[str, str]:
    """Paths of the exchange services and of the two pages a clerk needs."""
    wanted = _NAMES if API in doors else {"login", "hand_in"}
    return {name: reverse(_NAMES[name]) for name in wanted}
