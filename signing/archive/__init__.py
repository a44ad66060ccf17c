"""The strict ZIP reader (rules Z1 to Z8): a hand-in is read as a stream, nothing is ever extracted to disk.

Reading order: `layout` (what the archive says, and that its parts tile the file), `names` (what entries may be called),
`reading` (members, inflated under limits). Names are for showing only. Litter of a school's desktop is skipped and
told, a trick refuses the archive.
"""

from signing.archive.layout import ARCHIVE_LIMITS, ArchiveLimits
from signing.archive.reading import Member, read_archive

__all__ = ["ARCHIVE_LIMITS", "ArchiveLimits", "Member", "read_archive"]
