# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What proximity_reconcile is about."""

from __future__ import annotations

from functools import partial

from ..fleet_results import describe_reconciliation
from ..planner.reconciliation import plan_reconciliation
from ..settling import look_at_many, settle_reconciliation
from . import Noun

RECONCILIATION = Noun("app", partial(look_at_many, plan_reconciliation), settle_reconciliation, describe_reconciliation)
