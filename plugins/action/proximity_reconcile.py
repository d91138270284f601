# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action proximity_reconcile: gathers apps from the inventory as proximity_apps does, for the module of that name."""

from __future__ import annotations

from ansible_collections.proximity.platform.plugins.action.proximity_apps import ActionModule as Apps


class ActionModule(Apps):
    """The same, for another module."""

    MODULE = "proximity.platform.proximity_reconcile"
