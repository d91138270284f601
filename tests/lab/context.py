"""What a handler is given: the call, verified, and the means to answer it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.access import ROOT, missing, normal_path
from lab.cluster import Cluster
from lab.errors import forbidden
from lab.model import Guest
from lab.tasks import Work, start_task


@dataclass
class Call:
    """One call.

    `asked` is the node whose address was called, `user` who calls (`root@pam`, `root@pam!test`), `params` the verified
    parameters, those of the path included. What the handler puts into `extra` stands beside `data` in the answer (`total`).
    `files` holds the content of an upload. `changes`: option of the guest in the path -> [before, after], once it is answered.
    """

    cluster: Cluster
    asked: str
    user: str
    method: str
    path: str
    params: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, list[Any]] = field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:
        return self.params.get(name, default)

    @property
    def node(self) -> str:
        """The node that the path names, else the one that was asked."""
        return str(self.params.get("node", self.asked))

    @property
    def vmid(self) -> int:
        return int(self.params["vmid"])

    @property
    def is_root(self) -> bool:
        """Only a ticket of root@pam is root@pam; its tokens are not."""
        return self.user == ROOT

    def guest(self) -> Guest:
        """The guest in the path, or the refusal of a missing one."""
        return self.cluster.guest(self.node, self.vmid)

    def may(self, path: str, *wanted: str, every: bool = True) -> bool:
        """Whether the caller has these rights at an ACL path (or one of them)."""
        return not missing(self.cluster, self.user, normal_path(path), wanted, every)

    def check(self, path: str, *wanted: str, every: bool = True) -> None:
        """403 unless the caller has them."""
        if lacking := missing(self.cluster, self.user, normal_path(path), wanted, every):
            raise forbidden(f"{path}, {lacking}")

    def check_guest(self, vmid: int, pool: str, *wanted: str) -> None:
        """As `check`, on a guest or on the pool that it is to join."""
        if not (pool and self.may(f"/pool/{pool}", *wanted)):
            self.check(f"/vms/{vmid}", *wanted)

    def start_task(self, kind: str, about: str | int, work: Work, *, node: str = "", user: str = "") -> str:
        """Start a task on the call's node; the answer is its UPID."""
        return start_task(self.cluster, node or self.node, kind, str(about), user or self.user, work)


def guest_filter(call: Call, *wanted: str) -> Callable[[int], bool]:
    """Whether the caller has one of these rights on a guest, quickly for thousands of them."""
    cluster = call.cluster
    pools = {vmid: pool.id for pool in cluster.pools.values() for vmid in pool.vms}
    own = {grant.path for grant in cluster.grants if grant.path.startswith("/vms/")}
    known: dict[str, bool] = {}

    def allowed(vmid: int) -> bool:
        path = f"/vms/{vmid}"
        key = path if path in own else pools.get(vmid, "")
        if key not in known:
            known[key] = call.may(path, *wanted, every=False)
        return known[key]

    return allowed
