"""The zip that a .stitch file is: written the same way each time, and read with distrust.

Only what is written here is read: entries of known names, each once, stored or deflated, one behind the other, without
encryption, comments or zip64. So a header cannot lead anywhere else, and nothing is inflated beyond its bound. Nothing
is ever unpacked onto a disk. (APPNOTE.TXT of PKWARE, sections 4.3.7, 4.3.12 and 4.3.16.)
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from stitchlab.errors import StitchLabError
from stitchlab.results.bundle.checks import Wrong, need
from stitchlab.results.bundle.layout import ENTRIES, MB, MOST_BYTES, MOST_INFLATED

_END = struct.Struct("<4s4H2LH")  # the record at the end: where the directory is, and of how many entries
_LISTED = struct.Struct("<4s6H3L5H2L")  # an entry's record in the directory
_LOCAL = struct.Struct("<4s5H3L2H")  # and before its data
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip knows
_KIND, _LINK = 0o170000, 0o120000  # of a file's mode; that of a symbolic link


class _Entry(NamedTuple):
    name: str
    method: int
    crc: int
    packed: int
    size: int
    start: int


def write(entries: Mapping[str, bytes]) -> bytes:
    """Zip entries, the same bytes each time. Raises StitchLabError where they are larger than a file may be."""
    for name, data in entries.items():
        if len(data) > ENTRIES[name]:
            raise StitchLabError(f"{name} has {len(data) / MB:.0f} MB; a .stitch file holds at most "
                                 f"{ENTRIES[name] // MB} MB of it: leave the maps out, or compare fewer layers")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in (name for name in ENTRIES if name in entries):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr, entry.create_system = 0o644 << 16, 3
            archive.writestr(entry, entries[name], zipfile.ZIP_DEFLATED, 6)
    if out.tell() > MOST_BYTES:
        raise StitchLabError(f"the file would have {out.tell() / MB:.0f} MB, and {MOST_BYTES // MB} MB are the most: "
                             "leave the maps out, or compare fewer layers")
    return out.getvalue()


class Archive:
    """Reads entries of a zip one by one. Raises Wrong for anything that `write` would not have written."""

    def __init__(self, data: bytes) -> None:
        need(len(data) <= MOST_BYTES, f"it has {len(data) / MB:.0f} MB, and {MOST_BYTES // MB} MB are the most")
        self._data, self._inflated = data, 0
        self._entries: dict[str, _Entry] = {}
        for entry in _listed(data):
            need(entry.name in ENTRIES, f"it has an entry {entry.name[:60]!r}, which no .stitch file has")
            need(entry.name not in self._entries, f"it has {entry.name} twice")
            self._entries[entry.name] = entry

    @property
    def names(self) -> list[str]:
        """List the names of the entries."""
        return list(self._entries)

    def read(self, name: str) -> bytes:
        """Inflate an entry, and check its CRC."""
        need(name in self._entries, f"{name} is missing")
        entry = self._entries[name]
        need(entry.size <= ENTRIES[name], f"{name} says that it has {entry.size:,} bytes, more than it may")
        self._inflated += entry.size
        need(self._inflated <= MOST_INFLATED, "its entries are larger than they may be together")
        packed = self._data[entry.start:entry.start + entry.packed]
        made = packed if entry.method == zipfile.ZIP_STORED else _inflated(name, packed, entry.size)
        need(len(made) == entry.size and zlib.crc32(made) == entry.crc, f"{name} is damaged")
        return made


def _inflated(name: str, packed: bytes, size: int) -> bytes:
    """Inflate no more than an entry says that it has, whatever its data say."""
    try:
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        made = engine.decompress(packed, size + 1)
    except zlib.error as error:
        raise Wrong(f"{name} is damaged") from error
    need(engine.eof and not engine.unused_data, f"{name} is damaged, or larger than it says")
    return made


def _listed(data: bytes) -> list[_Entry]:
    """The entries of the directory, which has to stand at the end."""
    need(len(data) >= _END.size and data[:2] == b"PK", "it is no zip")
    mark, disk, first, here, count, size, start, comment = _END.unpack_from(data, len(data) - _END.size)
    need(mark == b"PK\5\6" and comment == 0, "it is no zip, or not the whole of one")
    need(disk == first == 0 and here == count <= len(ENTRIES), "it has more entries than a .stitch file")
    need(start + size == len(data) - _END.size, "it is damaged, or not the whole of a file")
    found, place, end = [], start, start + size
    for _ in range(count):
        need(place + _LISTED.size <= end, "its directory is damaged")
        entry, length = _entry(data, place, start)
        found.append(entry)
        place += length
    need(place == end, "its directory is damaged")
    begin = 0
    for entry in sorted(found, key=lambda entry: entry.start):  # no two share bytes
        need(entry.start >= begin and entry.start + entry.packed <= start, "its entries overlap")
        begin = entry.start + entry.packed
    return found


def _entry(data: bytes, place: int, most: int) -> tuple[_Entry, int]:
    """One entry of the directory, and how long its record is."""
    (mark, _, _, flags, method, _, _, crc, packed, size, named, extra, comment, disk, _, mode, local
     ) = _LISTED.unpack_from(data, place)
    need(mark == b"PK\1\2" and disk == 0 and named, "its directory is damaged")
    need(not flags & ~0x800, "an entry is encrypted, or written as a stream")  # 0x800: the name is UTF-8
    need(method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), "an entry is packed in a way that is not read here")
    need(mode >> 16 & _KIND != _LINK, "an entry is a symbolic link")
    name = data[place + _LISTED.size:place + _LISTED.size + named]
    need(local + _LOCAL.size <= most, "its directory is damaged")
    head = _LOCAL.unpack_from(data, local)
    start = local + _LOCAL.size + head[9] + head[10]
    need(head[0] == b"PK\3\4" and data[local + _LOCAL.size:][:head[9]] == name, "its directory is damaged")
    need(name.isascii(), "an entry has a name that no .stitch file has")
    return _Entry(name.decode("ascii"), method, crc, packed, size, start), _LISTED.size + named + extra + comment
