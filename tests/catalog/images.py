"""Build the stand-ins and push them to the lab's registry: all share two layers, and each has one of its own with a few names."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path

from catalog.standins import StandIn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lab.real.images import base_layer, settings
from lab.real.layers import Member, file, layer, link
from lab.real.mirror import mirror_of_machine
from lab.real.oci import push
from lab.real.shell import Say

FILES = Path(__file__).parent / "standin"


def push_stand_ins(wanted: Iterable[StandIn], say: Say) -> None:
    """Have the registry hold them. A lab must be up, since the registry is its."""
    shared = [base_layer(say, mirror_of_machine()), layer([*_programs(), *_certificate()])]
    for one in wanted:
        repo, _colon, tag = one.image.rpartition(":")
        names = [_name(path, "/lab/check") for path in one.checks] + [_name(path, "/lab/start") for path in one.programs]
        exposed: dict[str, dict[str, str]] = {f"{port}/tcp": {} for port in (*one.ports, *one.tls)}
        config = settings(one.environment(), Entrypoint=["/lab/start"], ExposedPorts=exposed)
        push(repo, tag, [*shared, layer(names)] if names else shared, config)


def _programs() -> list[Member]:
    return [file(f"lab/{path.name}", path.read_bytes(), 0o755) for path in sorted((FILES / "lab").iterdir())]


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
    return [file("lab/tls.crt", certificate.public_bytes(serialization.Encoding.PEM)), file("lab/tls.key", private)]


def _name(path: str, program: str) -> Member:
    return link(path.removeprefix("/"), program)
