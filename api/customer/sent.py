"""What a form sent: its fields and files, bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from api.customer.look import Upload

MOST_FILES = 8
MOST_FIELDS = 60
LONGEST_FIELD = 64 * 1024
"""Bytes. A whole request is bounded by `api.guard`."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The fields (of a name given twice, the last) and the files of a form; ``readable`` is False where it was too much or none."""

    fields: Mapping[str, str]
    files: Sequence[Upload]
    readable: bool = True

    def field(self, name: str) -> str:
        """One field, empty where it is not there."""
        return self.fields.get(name, "")


async def read_form(request: Request) -> Sent:
    """Read what a form sent. Raises `HTTPException` 413 where the whole is too large."""
    try:
        form = await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        return Sent({}, (), readable=False)
    fields, files = {}, []
    for name, value in form.multi_items():
        if not isinstance(value, UploadFile):
            fields[name] = value.replace("\x00", "")
        elif value.size:
            files.append(Upload(name, value.filename or "", value.content_type or "", await value.read()))
    await form.close()
    too_long = any(len(value.encode()) > LONGEST_FIELD for value in fields.values())
    return Sent({}, (), readable=False) if too_long else Sent(fields, files)


SentForm = Annotated[Sent, Depends(read_form)]
