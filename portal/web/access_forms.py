"""What an administrator types to give access: an account for a person, a key for a school's software."""

from __future__ import annotations

import ipaddress
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import Membership
from portal.schools.models import School
from portal.web.forms import a_day

LONGEST = timedelta(days=731)
_SCHOOL_HINT = _("Mã trường; để trống với vai trò của Sở.")


def _school(code: str) -> School | None:
    """The active school of that code; an unknown one is said in the field."""
    if not code.strip():
        return None
    found = School.objects.filter(code=code.strip(), is_active=True).first()
    if found is None:
        raise forms.ValidationError(_("Không có trường đang hoạt động nào mang mã này."))
    return found


class AccountForm(forms.Form):
    """A new account with its first membership."""

    user_name = forms.CharField(label=_("Tên đăng nhập"), max_length=60)
    full_name = forms.CharField(label=_("Họ và tên"), max_length=150)
    role = forms.ChoiceField(label=_("Vai trò"), choices=Membership.Role.choices)
    school = forms.CharField(label=_("Mã trường"), required=False, max_length=20, help_text=_SCHOOL_HINT)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        # The labels are the model's, in Vietnamese; the reader's language is known only now.
        self.fields["role"].choices = [(value, _(label)) for value, label in Membership.Role.choices]  # type: ignore[attr-defined]

    def clean_school(self) -> School | None:
        return _school(self.cleaned_data["school"])


class TokenForm(forms.Form):
    """A key for the software of one school."""

    school = forms.CharField(label=_("Mã trường"), max_length=20)
    expires_on = a_day(_("Dùng đến hết ngày"), required=True)
    networks = forms.CharField(
        label=_("Địa chỉ mạng được phép"),
        required=False,
        max_length=400,
        help_text=_("Ví dụ 203.0.113.7 hoặc 203.0.113.0/24, cách nhau bằng dấu phẩy. Để trống: mọi địa chỉ."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""

    def clean_school(self) -> School | None:
        return _school(self.cleaned_data["school"])

    def clean_expires_on(self) -> datetime:
        day: date = self.cleaned_data["expires_on"]
        today = timezone.localdate()
        if not today <= day <= today + LONGEST:
            raise forms.ValidationError(_("Chọn một ngày từ hôm nay đến hai năm nữa."))
        return timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))

    def clean_networks(self) -> list[str]:
        parts = self.cleaned_data["networks"].replace(",", " ").replace(";", " ").split()
        try:
            return [str(ipaddress.ip_network(part, strict=False)) for part in parts]
        except ValueError:
            raise forms.ValidationError(_("Có địa chỉ mạng viết sai.")) from None
