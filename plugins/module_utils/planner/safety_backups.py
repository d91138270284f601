# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backup that is made before another one is restored in the place of its app."""

from __future__ import annotations

from ..archives import Archive, Label
from ..errors import PlanError
from ..model import Observed, Storage
from ..plans import Step
from . import facts
from .search import Found
from .shelves import archives_on, of_record, room_for, shelves


def safety_steps(found: Found, restored: Archive, mark: str, observed: Observed) -> list[Step]:
    """Nothing where a run that was cut off has made it."""
    guest, record = found.guest, found.record
    here = shelves(facts.cluster(observed), guest.node)
    own = of_record(archives_on(observed, here), record)
    if any(each.label and each.label.kind == "safety" and each.label.run == mark for each in own):
        return []
    fitting = [each for each in here if room_for(each, own)]
    if not fitting:
        raise PlanError(
            f"Cannot restore app {record.name}: no storage of node {guest.node} has room for a backup of what it holds now. "
            "Make room, or set safety_backup: false."
        )
    storage: Storage = max(fitting, key=lambda each: (each.name == restored.storage, each.free_mb, each.name))
    label = Label(
        *(record.app, record.name, record.vmid, record.entry, record.entry_version, record.revision, record.owner),
        kind="safety",
        of=restored.volume,
        run=mark,
    )
    said = {key: value for key, value in vars(label).items() if value}
    after = {"storage": storage.name, "mode": "stop", "compress": "zstd", "protected": False, "label": said, "text": ""}
    return [Step("create", "archive", guest.vmid, None, after)]


def find_safety(name: str, restored: str, every: list[Archive]) -> Archive | None:
    """The newest backup of what was there before that one was restored."""
    fitting = (
        each for each in every if each.label and each.label.name == name and each.label.kind == "safety" and each.label.of == restored
    )
    return next(fitting, None)
