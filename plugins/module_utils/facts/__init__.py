# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts of a cluster, for modules and the inventory: asked for in parts, and read in as few calls as those parts need."""

from __future__ import annotations

from .gather import gather
from .question import PARTS, USUAL, Question, question_of

__all__ = ["PARTS", "USUAL", "Question", "gather", "question_of"]
