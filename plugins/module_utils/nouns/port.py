# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What proximity_port is about."""

from __future__ import annotations

from functools import partial

from ..claim_results import describe_port
from ..claiming import look_at_claims, settle_claims
from ..planner.ports import plan_port
from . import Noun

PORT = Noun("port", partial(look_at_claims, plan_port), partial(settle_claims, plan_port), describe_port)
