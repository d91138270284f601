"""Write small archives without the programs that pack them: what is in them stands there uncompressed."""

from __future__ import annotations

import gzip
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

ZSTD_BLOCK = 128 * 1024
"""No block of a zstd frame is larger."""


def write_archive(path: Path, files: Mapping[str, str]) -> None:
    """A tar with these files, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(packed(path.name, files))
    part.rename(path)


def packed(name: str, files: Mapping[str, str]) -> bytes:
    """The bytes of a tar, in the format that the ending of its name tells: .tar, .gz, .xz, .zst, .lzo; the same for the same files."""
    pack: dict[str, Callable[[bytes], bytes]] = {
        ".gz": lambda data: gzip.compress(data, mtime=0),
        ".xz": lzma.compress,
        ".zst": as_zstd,
        ".lzo": as_lzop,
    }
    return pack.get(Path(name).suffix, bytes)(_tar(files))


def _tar(files: Mapping[str, str]) -> bytes:
    content = b""
    for name, text in files.items():
        data, info = text.encode(), tarfile.TarInfo(name)
        info.size = len(data)
        content += info.tobuf(tarfile.GNU_FORMAT) + data + b"\0" * (-len(data) % tarfile.BLOCKSIZE)
    return content + b"\0" * 2 * tarfile.BLOCKSIZE


def as_zstd(data: bytes) -> bytes:
    """A zstd frame of raw blocks (RFC 8878)."""
    blocks = [data[start : start + ZSTD_BLOCK] for start in range(0, len(data), ZSTD_BLOCK)] or [b""]
    heads = [(len(block) << 3 | (number == len(blocks))).to_bytes(3, "little") for number, block in enumerate(blocks, 1)]
    single_segment_with_size = 0xA0
    head = struct.pack("<IBI", 0xFD2FB528, single_segment_with_size, len(data))
    return head + b"".join(head + block for head, block in zip(heads, blocks, strict=True))


def as_lzop(data: bytes) -> bytes:
    """A file of lzop with one block that is stored as it is (lzop, lzop.c)."""
    version, library, needed, method, level, flags, mode = 0x1040, 0x20A0, 0x0940, 3, 1, 0, 0o100644
    head = struct.pack(">HHHBBIIIIB", version, library, needed, method, level, flags, mode, 0, 0, 0)
    block = struct.pack(">II", len(data), len(data)) + data if data else b""
    return b"\x89LZO\0\r\n\x1a\n" + head + struct.pack(">I", zlib.adler32(head)) + block + b"\0" * 4
