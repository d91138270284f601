"""Build the stand-ins and push them to the lab's registry: all share two layers, and each has one of its own with a few names."""

from __future__ import annotations

import datetime
import io
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from catalog.standins import StandIn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lab.real.images import base_layer, settings
from lab.real.mirror import mirror_of_machine
from lab.real.oci import Layer, push
from lab.real.shell import Say

FILES = Path(__file__).parent / "standin"


def push_stand_ins(wanted: Iterable[StandIn], say: Say) -> None:
    """Have the registry hold them. A lab must be up, since the registry is its."""
    shared = [base_layer(say, mirror_of_machine()), _layer([*_programs(), *_certificate()])]
    for one in wanted:
        repo, _colon, tag = one.image.rpartition(":")
        names = [_link(path, "/lab/check") for path in one.checks] + [_link(path, "/lab/start") for path in one.programs]
        exposed: dict[str, dict[str, str]] = {f"{port}/tcp": {} for port in (*one.ports, *one.tls)}
        config = settings(one.environment(), Entrypoint=["/lab/start"], ExposedPorts=exposed)
        push(repo, tag, [*shared, _layer(names)] if names else shared, config)


Member = tuple[tarfile.TarInfo, bytes]


def _programs() -> list[Member]:
    return [_file(f"lab/{path.name}", path.read_bytes(), 0o755) for path in sorted((FILES / "lab").iterdir())]


def _certificate() -> list[Member]:
    """For the few apps that speak TLS themselves; made anew each time, for this run alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return [_file("lab/tls.crt", certificate.public_bytes(serialization.Encoding.PEM)), _file("lab/tls.key", private)]


def _layer(members: Sequence[Member]) -> Layer:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return Layer.of(packed.getvalue())


def _file(name: str, data: bytes, mode: int = 0o644) -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    return info, data


def _link(path: str, target: str) -> Member:
    info = tarfile.TarInfo(path.removeprefix("/"))
    info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
    return info, b""
