# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What proximity_app is about."""

from __future__ import annotations

from ..convergence import converge, look_at
from ..results import describe_app
from . import Noun

APP = Noun("app", look_at, converge, lambda app, plan, observed: {"app": describe_app(app, plan, observed)})
