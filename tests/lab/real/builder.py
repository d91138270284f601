"""Build things from Debian packages with mmdebstrap, through the lab's apt cache, and keep them under the hash of their recipe."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.guests.runtime import RuntimeFailure
from lab.real.layout import CACHE_ADDRESS, cache_dir
from lab.real.mirror import Mirror
from lab.real.shell import ENVIRONMENT, Say, locked, run

ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc")
"""Before a long build: when the runner is killed, all of the build goes with it, mounts included."""
TOLD = ("I: running apt-get", "I: downloading", "I: extracting", "I: installing", "I: creating")
"""mmdebstrap's steps that take their time."""
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*")


@dataclass(frozen=True)
class Bootstrap:
    """What mmdebstrap is asked for: its variant, the suite, packages, and shell commands run at the end with the root as $1."""

    suite: str
    variant: str
    packages: tuple[str, ...]
    hooks: tuple[str, ...] = ()


def architecture() -> str:
    return run(["dpkg", "--print-architecture"]).strip()


def digest_of(*parts: object) -> str:
    """A short name for a recipe: changes with anything that goes into it."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def bootstrap_argv(recipe: Bootstrap, sources: Path, target: Path | str) -> list[str | Path]:
    """The mmdebstrap command line."""
    argv: list[str | Path] = [
        "mmdebstrap",
        "--mode=root",
        f"--variant={recipe.variant}",
        f"--include={','.join(recipe.packages)}",
        f'--aptopt=Acquire::http::Proxy "http://{CACHE_ADDRESS}"',
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=Acquire::IndexTargets::deb::DEP-11 { DefaultEnabled "false"; }',
    ]
    argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    argv += [f"--customize-hook={hook}" for hook in recipe.hooks]
    return [*argv, recipe.suite, target, sources]


def bootstrap(recipe: Bootstrap, mirror: Mirror, work: Path, target: Path, say: Say) -> None:
    """Run mmdebstrap into `target` (a directory, or a .tar by its name); `say` gets its steps as they begin."""
    sources = work / "debian.sources"
    sources.write_text(mirror.sources(recipe.suite))
    argv = [*ENDS_WITH_US, *bootstrap_argv(recipe, sources, target)]
    began, last = time.monotonic(), ["no output"]
    child = subprocess.Popen(
        list(map(str, argv)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**ENVIRONMENT, "TMPDIR": str(work)},
    )
    assert child.stderr is not None
    with child, child.stderr as steps:
        for line in steps:
            last = [*last[-8:], line.strip()]
            if line.startswith(TOLD):
                say(f"  {time.monotonic() - began:5.1f} s  {line[3:].strip().rstrip('.')}")
    if child.returncode != 0:
        raise RuntimeFailure(f"mmdebstrap of {recipe.suite} failed with {child.returncode}: {' / '.join(last)}")


def kept(kind: str, digest: str, name: str, make: Callable[[Path], Path], say: Say) -> Path:
    """The file or directory `name` made by this recipe: from the cache, or made now, by one process at a time.

    It appears whole or not at all. `make` gets a directory to work in and returns what it has finished there.
    """
    path = cache_dir() / kind / digest / name
    if path.exists():
        return path
    with locked(cache_dir() / kind / f"{digest}.lock"):
        if path.exists():
            return path
        began = time.monotonic()
        say(f"building {name} ...")
        with _work_dir() as work:
            made = make(work)
            path.parent.mkdir(parents=True, exist_ok=True)
            made.rename(path)
        size = sum(part.stat().st_size for part in (path, *path.rglob("*")) if part.is_file())
        say(f"built {name} in {time.monotonic() - began:.1f} s ({size / 1e6:.1f} MB)")
    return path


@contextmanager
def _work_dir() -> Iterator[Path]:
    """A directory beside the cache's files; not /tmp, which may be `nodev`. Those of dead builds go first."""
    base = cache_dir() / "work"
    base.mkdir(parents=True, exist_ok=True)
    for old in base.iterdir():
        if not Path("/proc", old.name.partition("-")[0]).exists():
            shutil.rmtree(old, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=base))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def compress(source: Path, target: Path, program: Sequence[str]) -> None:
    """Run a compressor from a file to a file."""
    with source.open("rb") as data, target.open("wb") as out:
        done = subprocess.run(list(program), stdin=data, stdout=out, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False)
    if done.returncode != 0:
        raise RuntimeFailure(f"'{' '.join(program)}' failed: {done.stderr.decode(errors='replace').strip()}")
