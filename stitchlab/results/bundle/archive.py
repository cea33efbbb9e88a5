"""Write the zip of a .stitch file, with the same bytes each time, and read such a zip defensively.

Only entries of known names are read, each once, stored or deflated, into memory and no further than their bounds:
nothing is ever unpacked onto a disk.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

from stitchlab.errors import StitchLabError
from stitchlab.results.bundle.checks import Wrong, need
from stitchlab.results.bundle.layout import ENTRIES, MB, MOST_BYTES, MOST_INFLATED

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip knows
_KIND, _LINK = 0o170000, 0o120000  # of a file's mode; that of a symbolic link
_FIRST = b"PK\3\4"  # what an entry begins with, and so a zip that nothing stands before
_END, _LAST = b"PK\5\6", 22  # what the last record of a zip begins with; its bytes, where no comment follows
_DIRECTORY = 4096  # bytes that the directory has at most
#: What `zipfile` raises for a file that is no zip, or a damaged one.
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
    if out.tell() > MOST_BYTES:
        raise StitchLabError(
            f"the file would have {out.tell() / MB:.0f} MB; the limit is {MOST_BYTES // MB} MB: "
            "leave the maps out, or compare fewer layers"
        )
    return out.getvalue()


class Archive:
    """Read entries of a zip one by one. Raises Wrong for what `write` would not have written."""

    def __init__(self, data: bytes) -> None:
        need(len(data) <= MOST_BYTES, f"it has {len(data) / MB:.0f} MB; the limit is {MOST_BYTES // MB} MB")
        need(data[:4] == _FIRST and data[-_LAST:][:4] == _END, "it is not a zip file, or not a complete one")
        directory = int.from_bytes(data[12 - _LAST : 16 - _LAST], "little")
        need(directory <= _DIRECTORY, "it has more entries than a .stitch file")  # each would be read
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
            need(entry.external_attr >> 16 & _KIND != _LINK, f"{name} is a symbolic link")
            self._entries[name] = entry

    def only_known(self) -> None:
        """Check that every entry is known, once a later schema, which may have others, is ruled out. Raises Wrong."""
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
        need(self._inflated <= MOST_INFLATED, "its entries together are over the size limit")
        try:
            with self._zip.open(entry) as file:
                made = file.read(entry.file_size)
                need(len(made) == entry.file_size and not file.read(1), f"{name} is damaged")
        except _FAULTS as error:
            raise Wrong(f"{name} is damaged") from error
        return made
