"""For certificates that name nobody's number themselves: the number each was first used under, in the whole province.

Asked once per certificate and batch; authorities usually write the number into the subject, so this is seldom.
"""

from datetime import datetime

from django.db import connection

from portal.schools.models import SeenCertificate


class Claims:
    """Holders of such certificates as one batch meets them; `keep` makes the first use stand for ever."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}
        self._new: dict[str, str] = {}

    def holder(self, certificate_sha256: str, claimed: str) -> str:
        """The number this certificate stands for: of its first use, `claimed` if this is the first."""
        known = self._holders.get(certificate_sha256)
        if known is None:
            stored = SeenCertificate.objects.filter(sha256=certificate_sha256).values_list("claimed_cccd", flat=True)
            known = next(iter(stored), "") or claimed
            self._holders[certificate_sha256] = self._new[certificate_sha256] = known
        return known

    def keep(self, *, now: datetime) -> None:
        """Write first uses; one already written stays."""
        rows, self._new = self._new, {}
        with connection.cursor() as cursor:
            for sha256, cccd in rows.items():
                cursor.execute(
                    """
                    INSERT INTO schools_seencertificate AS s (sha256, der, issuer_sha256, claimed_cccd, first_seen_at)
                    VALUES (%s, '', '', %s, %s)
                    ON CONFLICT (sha256) DO UPDATE SET claimed_cccd = excluded.claimed_cccd WHERE s.claimed_cccd = ''
                    """,
                    [sha256, cccd, now],
                )
