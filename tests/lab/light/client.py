"""Stands for a program, by whose name it is called: has its call done by the process that listens, and ends as that one says.

It is what a command costs, so it imports nothing that has to be read from a file. `programs.py` makes a script of it.
"""

import _socket
import marshal
import posix
import sys

GUEST = "@light-guest"
ENDED = 255


def main() -> int:
    environment = {name.decode(errors="surrogateescape"): value.decode(errors="surrogateescape") for name, value in posix.environ.items()}
    conn = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    conn.connect("\0" + environment.get("LIGHT_DOOR", GUEST)[1:])
    name = sys.argv[0].rpartition("/")[2]
    data = marshal.dumps({"do": "program", "name": name, "words": sys.argv[1:], "environment": environment, "folder": folder()})
    files = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
    conn.sendmsg([len(data).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
    conn.sendall(data)
    head = conn.recv(4, _socket.MSG_WAITALL)
    if len(head) < 4:
        return ENDED
    return int(marshal.loads(conn.recv(int.from_bytes(head, "big"), _socket.MSG_WAITALL))["status"])


def folder() -> str:
    try:
        return posix.getcwd()
    except OSError:
        return "/"


if __name__ == "__main__":
    sys.exit(main())
