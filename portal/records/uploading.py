"""Streams a browser's upload straight into the store: no temporary file, no second copy, flat memory.

A view checks who asks, sets `request.upload_handlers = [StoringUploadHandler(request)]` before it touches the form,
and hands `request.FILES["…"].stored` to `intake.receive_batch`. Uploads that break off are swept up by housekeeping.
"""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest
from django.utils import timezone

from portal.records.conf import conf
from portal.records.content import ContentWriter, StoredFile, TooLarge
from portal.records.intake import IntakeRefused, check_space, too_large


class StoredUpload(UploadedFile):  # type: ignore[type-arg]
    """A file field whose bytes lie in the store already."""

    def __init__(self, stored: StoredFile, name: str | None, field_name: str | None) -> None:
        super().__init__(name=name, size=stored.size)
        self.stored = stored
        self.field_name = field_name


class StoringUploadHandler(FileUploadHandler):
    """Django's word for what receives the pieces of a form's file fields."""

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self.refused: IntakeRefused | None = None
        self._writer: ContentWriter | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        try:
            check_space()
        except IntakeRefused as refusal:
            self.refused = refusal
            raise StopUpload(connection_reset=False) from refusal
        self._writer = ContentWriter(now=timezone.now(), max_bytes=conf().max_upload_bytes)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self._writer is None:
            return
        try:
            self._writer.write(raw_data)
        except TooLarge:
            self.refused = too_large()
            self._writer.abandon()
            self._writer = None
            raise StopUpload(connection_reset=False) from None

    def file_complete(self, file_size: int) -> StoredUpload | None:
        if self._writer is None:
            return None
        stored = self._writer.finish()
        self._writer = None
        return StoredUpload(stored, self.file_name, self.field_name)

    def upload_interrupted(self) -> None:
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None
