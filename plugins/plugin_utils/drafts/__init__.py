# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entries made of what others have: an image, a Compose file, an app in the older format.

`guess` reads a Compose file, `unsafe` finds and mends what must not stay, `layout` writes the files; `legacy` and
`scaffold` begin, `report` tells what was found.
"""
