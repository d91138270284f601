# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What proximity_backup is about."""

from __future__ import annotations

from ..backing import look_at_backups, settle_backups
from ..backup_results import describe_backup
from . import Noun

BACKUP = Noun("backup", look_at_backups, settle_backups, describe_backup)
