# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What proximity_adopt is about."""

from __future__ import annotations

from functools import partial

from ..claim_results import describe_adoption
from ..claiming import look_at_claims, settle_claims
from ..planner.adoption import plan_adoptions
from . import Noun

ADOPTION = Noun("guest", partial(look_at_claims, plan_adoptions), partial(settle_claims, plan_adoptions), describe_adoption)
