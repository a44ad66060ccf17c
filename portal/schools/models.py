"""Rows of the province's register: communes, vendors, schools, their certificates and signatories, and whom we trust.

Only people's decisions change these rows (and the journal keeps each one); the rooms that process records read them.
"""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q


class Level(models.TextChoices):
    """Level of schooling, `MA_CAP_HOC`."""

    PRIMARY = "02", "Tiểu học"
    LOWER_SECONDARY = "03", "Trung học cơ sở"
    UPPER_SECONDARY = "04", "Trung học phổ thông"
    CONTINUING = "05", "Giáo dục thường xuyên"


class Commune(models.Model):
    """A commune (xã, phường, đặc khu): the only tier below the province since 1 July 2025."""

    code = models.CharField("mã xã", max_length=5, unique=True)
    name = models.CharField("tên xã", max_length=150)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Vendor(models.Model):
    """A maker of schools' software; every one is served alike."""

    code = models.CharField("mã", max_length=30, unique=True)
    name = models.CharField("tên", max_length=150)
    contact = models.CharField("liên hệ", max_length=250, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class School(models.Model):
    """A school (cơ sở giáo dục), known by the code in force and, where it had one, by its older code."""

    code = models.CharField("mã trường", max_length=20, unique=True)
    former_code = models.CharField("mã trường cũ", max_length=20, blank=True)
    name = models.CharField("tên trường", max_length=150)
    commune = models.ForeignKey(Commune, on_delete=models.PROTECT, related_name="schools")
    levels = ArrayField(models.CharField(max_length=2, choices=Level.choices), verbose_name="cấp học")
    is_public = models.BooleanField("công lập", default=True)
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, null=True, blank=True, related_name="schools")
    is_active = models.BooleanField("đang hoạt động", default=True)
    expected_records = models.PositiveIntegerField("số học bạ dự kiến", default=0)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Certificate(models.Model):
    """A certificate of a school's organisation, registered with the department and decided by an officer."""

    class State(models.TextChoices):
        REQUESTED = "REQUESTED", "Chờ duyệt"  # the department's move
        APPROVED = "APPROVED", "Đã duyệt"  # in force from approved_from to approved_until
        DECLINED = "DECLINED", "Từ chối"  # nobody's move
        WITHDRAWN = "WITHDRAWN", "Đã thu hồi quyền sử dụng"  # nobody's move

    school = models.ForeignKey(School, on_delete=models.PROTECT, related_name="certificates")
    der = models.BinaryField("chứng thư (DER)")
    sha256 = models.CharField("vân tay SHA-256", max_length=64)
    serial = models.CharField("số sê-ri", max_length=64)
    subject = models.CharField("chủ thể", max_length=500)
    issuer = models.CharField("nơi cấp", max_length=500)
    not_before = models.DateTimeField("hiệu lực từ")
    not_after = models.DateTimeField("hiệu lực đến")
    # The sender's own id of transaction 3, by which transaction 4 asks; empty when asked for on a page.
    message_id = models.CharField("mã giao dịch", max_length=100, blank=True)
    signature_kind = models.CharField("kiểu chữ ký", max_length=30, blank=True)
    provider = models.CharField("nhà phát hành", max_length=30, blank=True)
    state = models.CharField("trạng thái", max_length=10, choices=State.choices, default=State.REQUESTED)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    requested_at = models.DateTimeField("đề nghị lúc")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField("quyết định lúc", null=True)
    approved_from = models.DateTimeField("được dùng từ", null=True)
    approved_until = models.DateTimeField("được dùng đến", null=True)
    reason = models.CharField("lý do", max_length=500, blank=True)

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            # One certificate belongs to one school; the same file handed in twice is the same row.
            models.UniqueConstraint(fields=["sha256"], name="certificate_once"),
            models.CheckConstraint(
                condition=~Q(state="APPROVED") | Q(approved_from__isnull=False), name="certificate_approved_from"
            ),
            models.CheckConstraint(
                condition=Q(approved_until__isnull=True) | Q(approved_until__gt=F("approved_from")),
                name="certificate_period_in_order",
            ),
        ]
        indexes = [
            # Read by records.admission once per school and period.
            models.Index(fields=["school", "state"], name="certificate_of_school"),
        ]

    def __str__(self) -> str:
        return f"{self.serial} · {self.get_state_display()}"


class Signatory(models.Model):
    """A person registered to sign for a school in a role, for a term."""

    class Role(models.TextChoices):
        SUBJECT_TEACHER = "GVBM", "Giáo viên bộ môn"
        HOMEROOM_TEACHER = "GVCN", "Giáo viên chủ nhiệm"
        HEAD = "CBQL", "Cán bộ quản lý"

    school = models.ForeignKey(School, on_delete=models.PROTECT, related_name="signatories")
    role = models.CharField("vai trò", max_length=4, choices=Role.choices)
    full_name = models.CharField("họ và tên", max_length=150)
    cccd = models.CharField("số định danh cá nhân", max_length=12)
    from_on = models.DateField("từ ngày")
    until_on = models.DateField("đến ngày", null=True, blank=True)

    class Meta:
        ordering = ["school", "role", "full_name"]
        constraints = [
            models.UniqueConstraint(fields=["school", "role", "cccd", "from_on"], name="signatory_once_per_term"),
            models.CheckConstraint(condition=Q(cccd__regex=r"^[0-9]{12}$"), name="signatory_cccd_of_12_digits"),
        ]

    def __str__(self) -> str:
        return f"{self.full_name} ({self.role})"


class TrustAnchor(models.Model):
    """A certification authority's certificate that the administrator has loaded; no issuer is privileged."""

    class Kind(models.TextChoices):
        ANCHOR = "ANCHOR", "Gốc tin cậy"
        INTERMEDIATE = "INTERMEDIATE", "Trung gian"

    kind = models.CharField("loại", max_length=12, choices=Kind.choices)
    der = models.BinaryField("chứng thư (DER)")
    sha256 = models.CharField("vân tay SHA-256", max_length=64, unique=True)
    subject = models.CharField("chủ thể", max_length=500)
    not_after = models.DateTimeField("hiệu lực đến")
    loaded_at = models.DateTimeField("nạp lúc")
    loaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    is_active = models.BooleanField("đang dùng", default=True)

    class Meta:
        ordering = ["subject"]

    def __str__(self) -> str:
        return self.subject


class RevocationList(models.Model):
    """A CRL as it was fetched, kept for ever: a late check needs the list of the signing time."""

    issuer_sha256 = models.CharField("vân tay nơi cấp", max_length=64)
    der = models.BinaryField("CRL (DER)")
    sha256 = models.CharField("vân tay SHA-256", max_length=64, unique=True)
    this_update = models.DateTimeField("phát hành lúc")
    next_update = models.DateTimeField("có giá trị đến", null=True)
    fetched_at = models.DateTimeField("lấy về lúc")
    source = models.CharField("nguồn", max_length=500, blank=True)

    class Meta:
        indexes = [
            # Read by the revocation source: the newest list of one issuer.
            models.Index(fields=["issuer_sha256", "-this_update"], name="crl_newest_of_issuer"),
        ]

    def __str__(self) -> str:
        return f"{self.issuer_sha256[:12]} · {self.this_update:%d/%m/%Y %H:%M}"


class OcspAnswer(models.Model):
    """An OCSP responder's answer on one certificate as it was fetched, kept for ever like the lists."""

    certificate_sha256 = models.CharField("vân tay chứng thư", max_length=64)
    issuer_sha256 = models.CharField("vân tay nơi cấp", max_length=64)
    der = models.BinaryField("câu trả lời OCSP (DER)")
    sha256 = models.CharField("vân tay SHA-256", max_length=64, unique=True)
    this_update = models.DateTimeField("nói về lúc")
    next_update = models.DateTimeField("có giá trị đến", null=True)
    fetched_at = models.DateTimeField("lấy về lúc")
    source = models.CharField("nguồn", max_length=500, blank=True)

    class Meta:
        indexes = [
            # Read by the revocation source: what was answered on one certificate.
            models.Index(fields=["certificate_sha256", "-this_update"], name="ocsp_newest_of_certificate"),
        ]

    def __str__(self) -> str:
        return f"{self.certificate_sha256[:12]} · {self.this_update:%d/%m/%Y %H:%M}"


class EvidenceSource(models.Model):
    """An address that tells of revocations, and how asking it went. `next_check_at` empty: nothing more to ask."""

    class Kind(models.TextChoices):
        CRL = "CRL", "Danh sách thu hồi"
        OCSP = "OCSP", "Hỏi trực tuyến"

    kind = models.CharField("loại", max_length=4, choices=Kind.choices)
    url = models.CharField("địa chỉ", max_length=500)
    issuer_sha256 = models.CharField("vân tay nơi cấp", max_length=64)
    certificate_sha256 = models.CharField("vân tay chứng thư", max_length=64, blank=True)
    next_check_at = models.DateTimeField("hỏi lần tới", null=True)
    checked_at = models.DateTimeField("hỏi lần cuối", null=True)
    succeeded_at = models.DateTimeField("được trả lời lần cuối", null=True)
    failing_since = models.DateTimeField("không trả lời từ", null=True)
    failures = models.PositiveIntegerField("số lần hỏng liên tiếp", default=0)
    failure_code = models.CharField("mã lỗi", max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "url", "issuer_sha256", "certificate_sha256"], name="evidence_source_once"
            ),
        ]
        indexes = [
            # Read by the refresh: what is due.
            models.Index(fields=["next_check_at"], name="evidence_source_due"),
            # Read by the overview: sources that have been away for long.
            models.Index(
                fields=["failing_since"], condition=Q(failing_since__isnull=False), name="evidence_source_away"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.url}"


class SeenCertificate(models.Model):
    """A certificate that signed something handed in, or issued one that did. Kept once, however much it signed."""

    sha256 = models.CharField("vân tay SHA-256", max_length=64, unique=True)
    der = models.BinaryField("chứng thư (DER)")
    issuer_sha256 = models.CharField("vân tay nơi cấp", max_length=64)
    # For a certificate that names nobody's number itself: the number it was first used under.
    claimed_cccd = models.CharField("số định danh đã khai", max_length=12, blank=True)
    first_seen_at = models.DateTimeField("gặp lần đầu lúc")

    def __str__(self) -> str:
        return self.sha256[:12]


class CertificateEvidence(models.Model):
    """What showed that a certificate was (or was not) revoked; reports of signatures name it by its digest.

    One row for a certificate and the evidence relied on, however many records were judged by it.
    """

    digest = models.CharField("dấu vết", max_length=64, unique=True)
    certificate_sha256 = models.CharField("vân tay chứng thư", max_length=64)
    issuer_sha256 = models.CharField("vân tay nơi cấp", max_length=64)
    state = models.CharField("kết luận", max_length=8)
    revoked_at = models.DateTimeField("thu hồi lúc", null=True)
    reason = models.CharField("lý do", max_length=60, blank=True)
    # SHA-256 of the CRLs and OCSP answers relied on.
    evidence = ArrayField(models.CharField(max_length=64), verbose_name="bằng chứng")
    # The signing times that were judged by it.
    judged_from = models.DateTimeField("thời điểm ký sớm nhất")
    judged_until = models.DateTimeField("thời điểm ký muộn nhất")
    first_used_at = models.DateTimeField("dùng lần đầu lúc")

    class Meta:
        indexes = [models.Index(fields=["certificate_sha256"], name="evidence_of_certificate")]

    def __str__(self) -> str:
        return f"{self.certificate_sha256[:12]} · {self.state}"
