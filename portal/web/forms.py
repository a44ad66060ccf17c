"""What people type: signing in, changing a password, filters, a search, a reason. Checks of form only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.validators import MinLengthValidator
from django.utils.translation import gettext_lazy as _

from portal.records.states import BatchState, RecordState
from portal.schools.models import Level


class SignInForm(AuthenticationForm):
    """User name and password; what was wrong is never said."""

    error_messages = {
        "invalid_login": _("Tên đăng nhập hoặc mật khẩu không đúng. Kiểm tra phím Caps Lock và bộ gõ tiếng Việt."),
        "inactive": _("Tài khoản đã bị khóa. Liên hệ quản trị hệ thống của Sở."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("Tên đăng nhập")
        self.fields["password"].label = _("Mật khẩu")
        self.label_suffix = ""


class ChangePasswordForm(PasswordChangeForm):
    """The old password once, the new one twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["old_password"].label = _("Mật khẩu hiện tại")
        self.fields["new_password1"].label = _("Mật khẩu mới")
        self.fields["new_password2"].label = _("Nhập lại mật khẩu mới")


class HandInForm(forms.Form):
    """One file: a list, a record, or a ZIP of either."""

    file = forms.FileField(
        label=_("Tệp học bạ"),
        widget=forms.ClearableFileInput(attrs={"accept": ".xml,.zip"}),
        error_messages={
            "required": _("Chưa chọn tệp. Bấm vào ô chọn tệp hoặc kéo tệp vào đó, rồi bấm Nộp."),
            "empty": _("Tệp không có byte nào. Kết xuất lại từ phần mềm của trường rồi nộp lại."),
        },
        max_length=255,
    )


def a_day(label: Any, *, required: bool = False) -> forms.DateField:
    """A day as people here write it; the browser's own picker would follow the browser's language instead."""
    hint = {"placeholder": "dd/mm/yyyy", "inputmode": "numeric", "size": "10", "maxlength": "10"}
    return forms.DateField(
        label=label, required=required, input_formats=["%d/%m/%Y", "%Y-%m-%d"], widget=forms.TextInput(attrs=hint)
    )


def _moment(label: Any) -> forms.DateTimeField:
    """A moment in the province's time."""
    hint = {"placeholder": "dd/mm/yyyy HH:MM", "size": "16", "maxlength": "16"}
    return forms.DateTimeField(
        label=label, input_formats=["%d/%m/%Y %H:%M", "%Y-%m-%dT%H:%M"], widget=forms.TextInput(attrs=hint)
    )


class BatchFilter(forms.Form):
    """Which batches a list shows."""

    state = forms.ChoiceField(label=_("Trạng thái"), required=False, choices=[("", _("Tất cả")), *BatchState.choices])
    school = forms.CharField(label=_("Trường (mã hoặc tên)"), required=False, max_length=80)
    from_on = a_day(_("Từ ngày"))
    until_on = a_day(_("Đến ngày"))

    def __init__(self, *args: Any, with_school: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        if not with_school:
            del self.fields["school"]


class RecordFilter(forms.Form):
    """Which records of a batch are shown: by where they are, or only those with findings."""

    CHOICES = [
        ("", _("Tất cả")),
        *RecordState.choices,
        ("ACCEPTED", _("Bộ chấp nhận")),
        ("REJECTED", _("Bộ từ chối")),
        ("WARNED", _("Có cảnh báo")),
    ]
    state = forms.ChoiceField(label=_("Hiện học bạ"), required=False, choices=CHOICES)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class SchoolFilter(forms.Form):
    """Which schools the department's list shows."""

    text = forms.CharField(label=_("Mã hoặc tên trường"), required=False, max_length=80)
    level = forms.ChoiceField(label=_("Cấp học"), required=False, choices=[("", _("Tất cả")), *Level.choices])
    state = forms.ChoiceField(
        label=_("Tình hình"),
        required=False,
        choices=[
            ("", _("Tất cả")),
            ("nothing", _("Chưa nộp học bạ nào")),
            ("refused", _("Có học bạ phải sửa")),
            ("no-certificate", _("Chưa có chứng thư số được duyệt")),
        ],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class SearchForm(forms.Form):
    """One number that identifies a record or a pupil. Sent by POST: it must stand in no address and no log."""

    number = forms.CharField(
        label=_("Mã tra cứu học bạ, mã học sinh hoặc số định danh cá nhân"),
        max_length=40,
        validators=[MinLengthValidator(6)],
    )


class ReasonForm(forms.Form):
    """Why somebody does what the journal will keep."""

    reason = forms.CharField(
        label=_("Lý do"),
        max_length=500,
        validators=[MinLengthValidator(5)],
        error_messages={"required": _("Phải ghi lý do: nhật ký giữ lại cho người sau.")},
    )


class OptionalReasonForm(forms.Form):
    reason = forms.CharField(label=_("Ý kiến"), max_length=500, required=False)


class ReconcileForm(forms.Form):
    """What to compare with the Ministry: at least one of the three must be said."""

    day = a_day(_("Ngày"))
    unit = forms.CharField(label=_("Mã đơn vị"), required=False, max_length=20)
    year = forms.IntegerField(label=_("Năm học (năm đầu)"), required=False, min_value=2020, max_value=2100)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if not any(said.get(name) for name in ("day", "unit", "year")):
            raise forms.ValidationError(_("Chọn một ngày, một đơn vị hoặc một năm học để đối soát."))
        return said


class MaintenanceForm(forms.Form):
    """Hours in which nothing new may leave, as the Ministry or our own network people announced them."""

    starts = _moment(_("Từ (ngày giờ)"))
    ends = _moment(_("Đến (ngày giờ)"))
    reason = forms.CharField(label=_("Lý do"), max_length=300, validators=[MinLengthValidator(5)])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class CertificateForm(forms.Form):
    """A school's certificate to be registered with the department."""

    file = forms.FileField(label=_("Tệp chứng thư số (.cer, .crt, .pem)"), max_length=255)
    signature_kind = forms.ChoiceField(
        label=_("Kiểu chữ ký"), choices=[("USB_TOKEN", "USB Token"), ("REMOTE_SIGNING", _("Ký số từ xa"))]
    )
    provider = forms.ChoiceField(
        label=_("Nhà phát hành"),
        choices=[
            ("BAN_CO_YEU", "Ban Cơ yếu Chính phủ"),
            ("VNPT", "VNPT"),
            ("VIETTEL", "Viettel"),
            ("BKAV", "BKAV"),
            ("", _("Khác")),
        ],
        required=False,
    )
