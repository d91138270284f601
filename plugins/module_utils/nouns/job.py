# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What proximity_job is about."""

from __future__ import annotations

from functools import partial

from ..claiming import look_at_claims, settle_claims
from ..fleet_results import describe_job
from ..planner.jobs import plan_job
from . import Noun

JOB = Noun("job", partial(look_at_claims, plan_job), partial(settle_claims, plan_job), describe_job)
