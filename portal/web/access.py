"""Who may open which page. Every view says it with `@page(...)`; a view that says nothing fails a test.

The gate stands before the request's body is read: a stranger cannot make the portal store a single byte.
What is not allowed for a role is 403; what belongs to another school is 404, as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from portal.accounts import policy
from portal.accounts.models import User
from portal.accounts.policy import Permission
from portal.schools.models import School

View = Callable[..., HttpResponse]
# What must happen before the body is read; an answer ends the request.
Prepare = Callable[[HttpRequest], HttpResponse | None]

IDLE = timedelta(minutes=30)
SEEN_KEY, SCHOOL_KEY = "seen_at", "school"
# A form without a file of records is never larger; the door for files has its own limit.
FORM_BYTES = 1_000_000
# The session row is written at most this often for the sake of the idle clock.
SEEN_STEP = timedelta(minutes=1)


class Opening(Enum):
    """Pages that ask for no permission of the table: open to everybody, or to everybody who signed in."""

    PUBLIC = "PUBLIC"
    SIGNED_IN = "SIGNED_IN"


Asked = Permission | Opening


@dataclass(frozen=True)
class Actor:
    """The person at the other end; all authority is the policy's, nothing here adds to it."""

    user: User
    schools: tuple[School, ...]
    school: School | None
    is_department: bool

    def may(self, asked: Asked) -> bool:
        return isinstance(asked, Opening) or policy.may(self.user, asked)

    @property
    def reads_records(self) -> bool:
        return self.may(Permission.SEE_RECORD)

    @property
    def sees_batches(self) -> bool:
        return self.may(Permission.SEE_BATCHES)

    @property
    def controls_queue(self) -> bool:
        return self.may(Permission.CONTROL_QUEUE)

    @property
    def decides_held(self) -> bool:
        return self.may(Permission.DECIDE_HELD)


def actor_of(request: HttpRequest) -> Actor | None:
    """The signed-in person and their memberships, read once per request; None for a stranger."""
    cached: Actor | None = getattr(request, "_hocba_actor", None)
    if cached is not None:
        return cached
    if not request.user.is_authenticated:
        return None
    user = request.user
    schools = tuple(policy.schools_of(user).select_related("commune").order_by("name"))
    chosen = request.session.get(SCHOOL_KEY)
    school = next((s for s in schools if s.pk == chosen), schools[0] if schools else None)
    actor = Actor(user=user, schools=schools, school=school, is_department=policy.is_department(user))
    request._hocba_actor = actor  # type: ignore[attr-defined]
    return actor


def required_actor(request: HttpRequest) -> Actor:
    """The actor of a page that is not public."""
    actor = actor_of(request)
    if actor is None:
        raise PermissionDenied
    return actor


def address_of(request: HttpRequest) -> str | None:
    """The network address of the person, as the web server in front reports it."""
    forwarded = request.META.get("HTTP_X_REAL_IP") if request.is_secure() else None
    return forwarded or request.META.get("REMOTE_ADDR") or None


def page(
    asked: Asked, *, methods: tuple[str, ...] = ("GET",), prepare: Prepare | None = None
) -> Callable[[View], View]:
    """Declare a view's permission and methods. The order inside: method, person, session, role, body, CSRF, view."""

    def declare(view: View) -> View:
        protected = csrf_protect(view)

        @wraps(view)
        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method not in (*methods, "HEAD", "OPTIONS"):
                return HttpResponseNotAllowed(methods)
            refusal = None if asked is Opening.PUBLIC else _refusal(request, asked, now=timezone.now())
            refusal = refusal or (prepare or _small_enough)(request)
            response = refusal or protected(request, *args, **kwargs)
            add_never_cache_headers(response)
            return response

        # CSRF is checked inside, after the person is known: checking it means reading the whole body.
        opened = cast(View, csrf_exempt(gate))
        opened.permission = asked  # type: ignore[attr-defined]
        return opened

    return declare


def _small_enough(request: HttpRequest) -> HttpResponse | None:
    """Refuse a form of unlikely size before a byte of it is read, let alone spooled to disk."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) <= FORM_BYTES:
        return None
    return render(request, "413.html", status=413)


def _refusal(request: HttpRequest, asked: Asked, *, now: datetime) -> HttpResponse | None:
    actor = actor_of(request)
    if actor is None or _idle_too_long(request, now=now):
        return _to_sign_in(request)
    if actor.user.must_change_password and asked is not Opening.SIGNED_IN:
        return HttpResponseRedirect(reverse("change-password"))
    if not actor.may(asked):
        raise PermissionDenied
    return None


def _idle_too_long(request: HttpRequest, *, now: datetime) -> bool:
    """End a session that nobody used for half an hour. A page that refreshes itself is not use."""
    stamp = request.session.get(SEEN_KEY)
    seen_at = datetime.fromisoformat(stamp) if stamp else now
    if now - seen_at > IDLE:
        logout(request)
        return True
    polled = request.headers.get("HX-Request") == "true" and request.method == "GET"
    if stamp is None or (now - seen_at > SEEN_STEP and not polled):
        request.session[SEEN_KEY] = now.isoformat()
    return False


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    query = urlencode({"tiep": request.get_full_path()}) if request.method == "GET" else ""
    address = reverse("sign-in") + (f"?{query}" if query and request.path != "/" else "")
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=401, headers={"HX-Redirect": reverse("sign-in")})
    return HttpResponseRedirect(address)
