# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What proximity_apps is about."""

from __future__ import annotations

from ..fleet_results import describe_fleet
from ..settling import look_at_fleet, settle_fleet
from . import Noun

FLEET = Noun("app", look_at_fleet, settle_fleet, describe_fleet)
