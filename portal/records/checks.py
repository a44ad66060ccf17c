"""System checks of sealing: a setup that cannot or must not seal is found at start, each with a stable id."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution

from portal.records.conf import conf, sealing_setup
from portal.records.keyring import SealingSetup
from portal.schools.conf import trust_conf

LONGEST_EVIDENCE_HOURS = 24.0  # the design's bound on CRL and OCSP


@register("records")
def sealing_is_possible(**_: Any) -> Sequence[CheckMessage]:
    """records.E001 key in a file; E002 token incomplete; E003 remote incomplete; W001 PIN in a file; W002 no module."""
    setup = sealing_setup()
    return [*_key(setup), *_pin(setup)]


@register("records")
def revocation_is_asked(**_: Any) -> Sequence[CheckMessage]:
    """records.E004: production admits records without asking whether certificates were revoked."""
    if getattr(settings, "MODE", "") == "production" and not conf().check_revocation:
        return [
            Error(
                "Cổng không kiểm tra thu hồi chứng thư.",
                hint='Đặt RECORDS = {"check_revocation": True} và nạp hoặc lấy CRL (manage.py trust).',
                id="records.E004",
            )
        ]
    return []


@register("records")
def evidence_is_fresh(**_: Any) -> Sequence[CheckMessage]:
    """records.W003: production reaches verdicts by evidence of revocation that is older than a day."""
    hours = trust_conf().evidence_max_age_hours
    if getattr(settings, "MODE", "") == "production" and hours > LONGEST_EVIDENCE_HOURS:
        return [
            Caution(
                f"Cổng chấp nhận thông tin thu hồi cũ đến {hours:g} giờ.",
                hint=f"Đặt TRUST evidence_max_age_hours không quá {LONGEST_EVIDENCE_HOURS:g}.",
                id="records.W003",
            )
        ]
    return []


def _key(setup: SealingSetup) -> list[CheckMessage]:
    match setup.kind:
        case "software" if not setup.allow_key_file:
            return [
                Error(
                    "Khóa ký của Sở nằm trong tệp; chế độ vận hành thật không cho phép.",
                    hint="Dùng HOCBA_KEY_KIND=hsm hoặc remote; chỉ khi chấp nhận rủi ro: HOCBA_ALLOW_KEY_FILE=1.",
                    id="records.E001",
                )
            ]
        case "hsm" if missing := _missing(setup, "hsm_module", "hsm_token", "hsm_key"):
            return [_incomplete("thiết bị ký (PKCS#11)", missing, "records.E002")]
        case "hsm" if not (Path(setup.hsm_module).is_file() and setup.certificate_file.is_file()):
            return [
                Caution(
                    "Không thấy thư viện PKCS#11 hoặc tệp chứng thư của khóa ký.",
                    hint="Kiểm tra HOCBA_HSM_MODULE và HOCBA_KEY_CERTIFICATE; gói học bạ sẽ chờ cho tới khi có.",
                    id="records.W002",
                )
            ]
        case "remote" if missing := _missing(setup, "remote_url", "remote_credential"):
            return [_incomplete("ký từ xa", missing, "records.E003")]
        case _:
            return []


def _pin(setup: SealingSetup) -> list[CheckMessage]:
    beside = setup.pin_file if setup.kind != "software" else setup.passphrase_file
    if setup.is_attended and beside is not None and beside.exists():
        return [
            Caution(
                "Đóng dấu có người trực nhưng mã PIN vẫn nằm trong tệp.",
                hint=f"Xóa tệp {beside.name}: mã PIN chỉ được nhập bởi cán bộ.",
                id="records.W001",
            )
        ]
    return []


def _missing(setup: SealingSetup, *names: str) -> list[str]:
    return [f"HOCBA_{name.upper()}" for name in names if not getattr(setup, name)]


def _incomplete(what: str, missing: list[str], identity: str) -> CheckMessage:
    return Error(f"Cấu hình {what} thiếu {', '.join(missing)}.", hint="Đặt đủ các giá trị này.", id=identity)
