# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What proximity_backups is about."""

from __future__ import annotations

from ..batch_results import describe_batch
from ..batches import is_idle, look_at_batch, settle_batch
from . import Noun

BATCH = Noun("backup", look_at_batch, settle_batch, describe_batch, is_idle)
