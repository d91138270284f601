# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Newer images: `registry` asks, `tags` chooses, `compare` writes the change of an entry and of the lock."""
