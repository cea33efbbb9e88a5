"""Write the zip of a .stitch file, with the same bytes each time, and read such a zip defensively.

Only entries with known names are read, each once, if they are stored or deflated. They are read into memory, up to
their size limits: nothing is ever unpacked onto a disk.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

from stitchlab.errors import StitchLabError
from stitchlab.results.bundle.checks import Wrong, need
from stitchlab.results.bundle.layout import ENTRIES, MAX_FILE_BYTES, MAX_INFLATED_BYTES, MB

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can state
_FILE_TYPE = 0o170000  # the bits of a file's mode that state its type
_SYMBOLIC_LINK = 0o120000  # their value for a symbolic link
_ENTRY_SIGNATURE = b"PK\3\4"  # the first bytes of an entry, and so of a zip with nothing before it
_END_SIGNATURE = b"PK\5\6"  # the first bytes of the last record of a zip
_END_BYTES = 22  # the size of that record without a comment
_MAX_DIRECTORY_BYTES = 4096
#: The exceptions of `zipfile` for files that are damaged or no zip.
_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
    OverflowError,
)


def write(entries: Mapping[str, bytes]) -> bytes:
    """Write entries as a zip, with the same bytes each time. Raises StitchLabError if they exceed the size limits."""
    for name, data in entries.items():
        if len(data) > ENTRIES[name]:
            raise StitchLabError(
                f"{name} has {len(data) / MB:.0f} MB; a .stitch file holds at most "
                f"{ENTRIES[name] // MB} MB of it: leave the maps out, or compare fewer layers"
            )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in (name for name in ENTRIES if name in entries):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr, entry.create_system = 0o644 << 16, 3
            archive.writestr(entry, entries[name], zipfile.ZIP_DEFLATED, 6)
    if out.tell() > MAX_FILE_BYTES:
        raise StitchLabError(
            f"the file would have {out.tell() / MB:.0f} MB; the limit is {MAX_FILE_BYTES // MB} MB: "
            "leave the maps out, or compare fewer layers"
        )
    return out.getvalue()


class Archive:
    """Read entries of a zip one by one. Raises Wrong for a zip that `write` cannot have written."""

    def __init__(self, data: bytes) -> None:
        need(len(data) <= MAX_FILE_BYTES, f"it has {len(data) / MB:.0f} MB; the limit is {MAX_FILE_BYTES // MB} MB")
        need(
            data[:4] == _ENTRY_SIGNATURE and data[-_END_BYTES:][:4] == _END_SIGNATURE,
            "it is not a zip file, or not a complete one",
        )
        directory_bytes = int.from_bytes(data[12 - _END_BYTES : 16 - _END_BYTES], "little")
        # `zipfile` would read the directory as a whole.
        need(directory_bytes <= _MAX_DIRECTORY_BYTES, "it has more entries than a .stitch file")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _FAULTS as error:
            raise Wrong("it is not a zip file, or not a complete one") from error
        self._inflated = 0
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._unknown: list[str] = []
        for entry in self._zip.infolist():
            name = entry.filename
            if name not in ENTRIES:
                self._unknown.append(name)
                continue
            need(name not in self._entries, f"it has {name} twice")
            need(not entry.flag_bits & 1, f"{name} is encrypted")
            need(
                entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
                f"{name} is compressed in a way that StitchLab does not read",
            )
            need(entry.external_attr >> 16 & _FILE_TYPE != _SYMBOLIC_LINK, f"{name} is a symbolic link")
            self._entries[name] = entry

    def only_known(self) -> None:
        """Check that every entry is known. Raises Wrong.

        A file of a later schema may have other entries: check the schema first, for a better message.
        """
        for name in self._unknown:
            raise Wrong(f"it has an entry {name[:60]!r}, which no .stitch file has")

    @property
    def names(self) -> list[str]:
        """List the names of the entries."""
        return list(self._entries)

    def read(self, name: str) -> bytes:
        """Inflate an entry, up to the size that it states, and check its CRC. Raises Wrong."""
        need(name in self._entries, f"{name} is missing")
        entry = self._entries[name]
        need(entry.file_size <= ENTRIES[name], f"{name} states a size of {entry.file_size:,} bytes, over its limit")
        self._inflated += entry.file_size
        need(self._inflated <= MAX_INFLATED_BYTES, "its entries together are over the size limit")
        try:
            with self._zip.open(entry) as file:
                content = file.read(entry.file_size)
                need(len(content) == entry.file_size and not file.read(1), f"{name} is damaged")
        except _FAULTS as error:
            raise Wrong(f"{name} is damaged") from error
        return content
