"""People who sign in, what they may do for whom, and the access keys of schools' software.

A membership is the only source of authority: a user without one sees nothing.
"""

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from portal.schools.models import School, Vendor


class User(AbstractUser):
    """A person with a password of their own; never shared, never deleted."""

    full_name = models.CharField("họ và tên", max_length=150, blank=True)
    must_change_password = models.BooleanField("phải đổi mật khẩu", default=False)

    def __str__(self) -> str:
        return self.full_name or self.username


class Membership(models.Model):
    """What a user may do: for one school, or for the department."""

    class Role(models.TextChoices):
        CLERK = "CLERK", "Văn thư trường"
        HEAD = "HEAD", "Cán bộ quản lý trường"
        OFFICER = "OFFICER", "Chuyên viên Sở"
        ADMINISTRATOR = "ADMINISTRATOR", "Quản trị hệ thống"
        INSPECTOR = "INSPECTOR", "Thanh tra"

    SCHOOL_ROLES = (Role.CLERK, Role.HEAD)
    DEPARTMENT_ROLES = (Role.OFFICER, Role.ADMINISTRATOR, Role.INSPECTOR)

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField("vai trò", max_length=13, choices=Role.choices)
    school = models.ForeignKey(School, on_delete=models.PROTECT, null=True, blank=True, related_name="memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "role", "school"], nulls_distinct=False, name="membership_once"),
            # A school role without a school, or a department role with one, would widen what a user sees.
            models.CheckConstraint(
                condition=Q(role__in=["CLERK", "HEAD"], school__isnull=False)
                | Q(role__in=["OFFICER", "ADMINISTRATOR", "INSPECTOR"], school__isnull=True),
                name="membership_role_fits_school",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"


class ApiToken(models.Model):
    """Access of one school's software: a user name and a secret of which only the digest is stored."""

    school = models.ForeignKey(School, on_delete=models.PROTECT, related_name="api_tokens")
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, null=True, related_name="+")
    user_name = models.CharField("tên truy cập", max_length=60, unique=True)
    # SHA-256 of SHA-256 of the password: the exchange format sends the inner digest, so it must not be stored itself.
    secret_digest = models.CharField("dấu vết mật khẩu", max_length=64)
    networks = ArrayField(models.CharField(max_length=43), verbose_name="địa chỉ được phép", default=list, blank=True)
    expires_at = models.DateTimeField("hết hạn lúc", null=True)
    revoked_at = models.DateTimeField("thu hồi lúc", null=True)
    last_used_at = models.DateTimeField("dùng gần nhất", null=True)
    created_at = models.DateTimeField("tạo lúc")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    def __str__(self) -> str:
        return self.user_name


class ApiSession(models.Model):
    """A short-lived token handed to a school's software by the token service; only its digest is stored."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="sessions")
    digest = models.CharField("dấu vết", max_length=64, unique=True)
    created_at = models.DateTimeField("tạo lúc")
    expires_at = models.DateTimeField("hết hạn lúc")

    class Meta:
        indexes = [
            # Read by housekeeping, which removes what has expired.
            models.Index(fields=["expires_at"], name="api_session_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.token_id} · {self.expires_at:%d/%m/%Y %H:%M}"
