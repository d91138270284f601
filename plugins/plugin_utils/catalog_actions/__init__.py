# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The actions of module proximity_catalog: parameters in, an answer and the files that would be written out.

`look` only looks, `draft` makes entries of what others have, `renew` follows registries. What they need to know
stands in `drafts` and `updates`.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions import draft, look, renew
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions.shared import Outcome, Params

ACTIONS: dict[str, Callable[[Params], Outcome]] = {
    "list": look.show_list,
    "get": look.show_entries,
    "search": look.show_search,
    "categories": look.show_categories,
    "statistics": look.show_statistics,
    "validate": look.validate,
    "convert": draft.convert,
    "scaffold": draft.scaffold,
    "updates": renew.compare,
    "update": renew.update,
    "lock": renew.lock,
}
