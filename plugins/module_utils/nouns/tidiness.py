# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What proximity_janitor is about."""

from __future__ import annotations

from functools import partial

from ..fleet_results import describe_tidiness
from ..planner.janitor import plan_tidiness
from ..settling import look_at_many, settle_tidiness
from . import Noun

TIDINESS = Noun("guest", partial(look_at_many, plan_tidiness), settle_tidiness, describe_tidiness)
