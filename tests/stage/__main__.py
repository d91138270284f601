"""Where `ansible-playbook` runs: a process that has imported it forks each run; `--hurried`: waits of a run are shorter.

`python -m stage [--hurried]` reads a line of JSON for each run: {"words": [...], "environment": {...}, "output": FILE, "errors": FILE}; it
answers with the run's pid, and when the run has ended with its exit status.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from stage.hurry import hurry

NAME = b"ansible-playbook\0"


def main() -> None:
    os.environ.pop("PYTHONPATH", None)  # which led here, and nobody else
    if "--hurried" in sys.argv:
        hurry()
    from ansible.cli import playbook
    from ansible.release import __version__ as core
    from stage import savings

    savings.load_plugins()
    savings.load_our_modules()
    if tuple(map(int, core.split(".")[:2])) >= (2, 19):
        from stage import newer

        newer.keep_compiled_templates()
        newer.fork_modules()
    savings.look_less_often()
    savings.tell_tasks()
    gc.collect()
    gc.freeze()  # what a collection does not look at need not be copied for a fork
    print("{}", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _run(playbook, json.loads(line))
        print(json.dumps({"pid": child}), flush=True)
        print(json.dumps({"status": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}), flush=True)


def _run(playbook: Any, order: dict[str, Any]) -> NoReturn:
    status: object = 250
    try:
        os.setsid()
        for number, (file, mode) in enumerate(((os.devnull, "rb"), (order["output"], "ab"), (order["errors"], "ab"))):
            with Path(file).open(mode) as stream:
                os.dup2(stream.fileno(), number)
        be_called(NAME)
        os.environ.update(order["environment"])
        sys.argv = ["ansible-playbook", *order["words"]]
        playbook.main(sys.argv)
    except SystemExit as end:
        status = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 0 if status is None else 1)


def be_called(name: bytes) -> None:
    """What other processes read as this one's command; a lease is known by the process of that name."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(start)
        memory.write(name.ljust(end - start, b"\0")[: end - start])


if __name__ == "__main__":
    main()
