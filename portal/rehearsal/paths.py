"""Where the doors are: read from the portal's table of addresses, so that a renamed page breaks no rehearsal."""

from django.urls import reverse


def door_paths() -> dict[str, str]:
    """Paths of the exchange services and of the two pages a clerk needs."""
    return {
        "token": reverse("exchange_token"),
        "submit": reverse("exchange_submit"),
        "query": reverse("exchange_query"),
        "login": reverse("sign-in"),
        "hand_in": reverse("hand-in"),
    }
