"""Messages between the processes that light guests are made of: plain data and open files, over a Unix socket."""

from __future__ import annotations

import marshal
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]
HEAD = struct.Struct("!I")


def send(conn: socket.socket, message: Message, files: Sequence[int] = ()) -> None:
    """`client.py` speaks the same, without these imports."""
    data = marshal.dumps(message)
    if files:
        socket.send_fds(conn, [HEAD.pack(len(data))], list(files))
    else:
        conn.sendall(HEAD.pack(len(data)))
    conn.sendall(data)


def receive(conn: socket.socket, files: int = 0) -> tuple[Message, list[int]]:
    """A message and up to so many files; EOFError where the other side is gone."""
    head, found, _flags, _address = socket.recv_fds(conn, HEAD.size, files, socket.MSG_WAITALL)
    data = b""
    if len(head) == HEAD.size:
        (size,) = HEAD.unpack(head)
        data = conn.recv(size, socket.MSG_WAITALL)
    if len(head) < HEAD.size or len(data) < size:
        for file in found:
            os.close(file)
        raise EOFError
    return dict(marshal.loads(data)), list(found)


def listen(address: str) -> socket.socket:
    """A socket at a path, or at a name without a file that begins with @."""
    door = socket.socket(socket.AF_UNIX)
    door.bind(socket_name(address))
    door.listen(64)
    return door


def call(address: str, message: Message, files: Sequence[int] = ()) -> Message:
    """Ask who listens there; EOFError where it ends before it has answered."""
    with socket.socket(socket.AF_UNIX) as conn:
        conn.connect(socket_name(address))
        send(conn, message, files)
        return receive(conn)[0]


def socket_name(address: str) -> str:
    return f"\0{address[1:]}" if address.startswith("@") else address
