#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of proximity_catalog; the action plugin of that name does all of it, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_catalog
short_description: Look through catalogs of apps, check them, and keep them up to date
version_added: 0.1.0
description:
  - Lists, searches and counts entries of the collection's catalog and of your own, and checks them.
  - Begins new entries, converts apps of the older format, and finds newer images.
  - Everything happens on the controller. The host that the task runs for is not entered.
  - Where several catalogs have an entry of one id, the first catalog wins. An entry says in RV(entries[].source) where it came from.
author:
  - Proximity contributors (@proximity-platform)
requirements:
  - requests, for whatever asks a registry
options:
  action:
    description:
      - V(list) returns a summary of each entry.
      - V(get) returns the entries of O(ids) with all they hold.
      - V(search) returns the entries in which every word of O(query) is found, the best first. It looks into id, name, description,
        category, tags and services.
      - V(categories) returns the ids of each category.
      - V(statistics) returns figures.
      - V(validate) checks every entry and fails with a line for each mistake.
      - V(convert) makes folders of apps in the older format, one JSON file each, and reports what is unsafe in them.
      - V(scaffold) begins a new entry from O(image) or O(compose_file).
      - V(updates) compares each image with the tags of its registry.
      - V(update) does that, and writes what is newer into the catalogs of O(catalog_paths).
      - V(lock) writes C(lock.yml) into the catalogs of O(catalog_paths), every image with the digest of its tag.
    type: str
    choices: [list, get, search, categories, statistics, validate, convert, scaffold, updates, update, lock]
    default: list
  catalog_paths:
    description:
      - Catalogs of your own, searched in this order, then the collection's own.
      - A folder that holds a folder per entry, or JSON files of the older format; or a git checkout that has them in its folder C(catalog).
    type: list
    elements: path
    default: []
  ids:
    description: Only these entries. Needed for O(action=get).
    type: list
    elements: str
  query:
    description: Words to look for. Needed for O(action=search).
    type: str
  filter:
    description: Only entries that fit all of this; for list, search, categories and statistics.
    type: dict
    suboptions:
      category:
        description: Of this category.
        type: str
      tags:
        description: With all of these tags.
        type: list
        elements: str
      architecture:
        description: Whose images exist for this architecture.
        type: str
        choices: [amd64, arm64]
      memory_mb:
        description: That run with this much memory.
        type: int
      without:
        description: That require none of these, such as V(gpu) or V(tun).
        type: list
        elements: str
      custom:
        description: From catalogs of your own; or, when V(false), from the collection's.
        type: bool
  rules:
    description: Whether V(validate) holds your own catalogs to the rules of the house too. Otherwise they are advice.
    type: bool
    default: false
  source:
    description: A file, or a folder of files, in the older format. Needed for O(action=convert).
    type: path
  target:
    description: The catalog that new entries are written to. Needed for V(convert) and V(scaffold).
    type: path
  report:
    description: A file for what V(convert) has found, as Markdown.
    type: path
  image:
    description: The image to begin with, with its tag.
    type: str
  compose_file:
    description: The Compose file to begin with.
    type: path
  entry:
    description: What is known of the new entry.
    type: dict
    suboptions:
      id:
        description: Its id; the image's name, or the first service's, unless given.
        type: str
      name:
        description: Its name.
        type: str
      category:
        description: Its category.
        type: str
      description:
        description: What the app is, in a sentence.
        type: str
      site:
        description: Where the app is described.
        type: str
      port:
        description: The port that it listens on in its image; what the registry says of it, unless given.
        type: int
  overwrite:
    description: Whether to replace an entry that is there already and is another.
    type: bool
    default: false
  ask_registry:
    description: Whether V(scaffold) asks a registry about the image, and V(lock) for digests that nobody knows.
    type: bool
    default: true
  registries:
    description: How registries are reached that need a user, or are reached at another address, such as a mirror.
    type: list
    elements: dict
    suboptions:
      name:
        description: The registry as images name it. That of images without one is V(docker.io).
        type: str
        required: true
      url:
        description: Where its API is, when not at its own name by HTTPS.
        type: str
      username:
        description: User.
        type: str
      password:
        description: Password, or an access token.
        type: str
      ca_path:
        description: File with the certificate authority that vouches for it.
        type: path
      validate_certs:
        description: Whether its certificate is checked.
        type: bool
        default: true
  majors:
    description: Whether a step to a new major version is taken. Otherwise it is told, as RV(updates[].held).
    type: bool
    default: false
  patch:
    description: A file that gets all changes as a unified diff, and they are not made.
    type: path
attributes:
  check_mode:
    description: Can run in check mode and say what would change, without changing it.
    support: full
  diff_mode:
    description: Shows in diff mode what it writes.
    support: full
  idempotent:
    description: Run again, it changes nothing, unless a registry has something new.
    support: full
  action:
    description: Runs as an action plugin, on the controller.
    support: full
seealso:
  - plugin: proximity.platform.catalog
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Find a photo library that runs with 2 GiB
  proximity.platform.proximity_catalog:
    action: search
    query: photos
    filter:
      memory_mb: 2048

- name: Check a catalog of one's own
  proximity.platform.proximity_catalog:
    action: validate
    catalog_paths: [catalog]

- name: Begin an entry with an image
  proximity.platform.proximity_catalog:
    action: scaffold
    image: traefik/whoami:v1.11.0
    target: catalog
    entry:
      category: tools

- name: Convert apps of the older format
  proximity.platform.proximity_catalog:
    action: convert
    source: old-apps
    target: catalog
    report: conversion.md

- name: Propose newer images as a patch
  proximity.platform.proximity_catalog:
    action: update
    catalog_paths: [catalog]
    patch: updates.patch
"""

RETURN = r"""
catalogs:
  description: The catalogs that were looked at, in their order of precedence.
  returned: always
  type: list
  elements: dict
  contains:
    source: {description: What entries say as their source., type: str, returned: always}
    kind: {description: "V(own), V(folder) or V(git).", type: str, returned: always}
    folder: {description: Where it is., type: str, returned: always}
    commit: {description: The commit of a git checkout., type: str, returned: always}
    remote: {description: Where a git checkout came from., type: str, returned: always}
entries:
  description: Summaries; for V(get), whole definitions.
  returned: list, search, get
  type: list
  elements: dict
  contains:
    id: {description: The entry's id., type: str, returned: always}
    source: {description: The catalog that it came from; V(catalog) for the collection's., type: str, returned: always}
    custom: {description: Whether it is not the collection's., type: bool, returned: "list, search"}
    score: {description: How well it fits., type: int, returned: search}
broken:
  description: Entries that were left out, with their mistakes.
  returned: where all entries are read
  type: list
  elements: dict
categories:
  description: Category to ids.
  returned: categories
  type: dict
statistics:
  description: Figures over the entries.
  returned: statistics
  type: dict
checked:
  description: How many entries were checked.
  returned: validate
  type: int
mistakes:
  description: "Each mistake, with C(file), C(line) and C(text)."
  returned: validate
  type: list
  elements: dict
advice:
  description: Where an entry of your own breaks a rule of the house.
  returned: validate
  type: list
  elements: dict
shadowed:
  description: Ids that several catalogs have, to their sources, the winner first.
  returned: validate
  type: dict
converted:
  description: "Each converted app, with C(id), C(file), C(unproven), and C(findings) (kind, place, text, mended)."
  returned: convert
  type: list
  elements: dict
report:
  description: What was found, as Markdown.
  returned: convert
  type: str
folder:
  description: The new entry's folder.
  returned: scaffold
  type: str
todo:
  description: What is left to do for a person.
  returned: scaffold
  type: list
  elements: str
updates:
  description: Each image of each entry.
  returned: updates, update
  type: list
  elements: dict
  contains:
    id: {description: The entry's id., type: str, returned: always}
    services: {description: Services that run the image., type: list, elements: str, returned: always}
    image: {description: Its name., type: str, returned: always}
    tag: {description: The tag that the entry pins., type: str, returned: always}
    new_tag: {description: The newest tag that may be taken., type: str, returned: always}
    digest: {description: "The digest of RV(updates[].new_tag).", type: str, returned: always}
    change: {description: "V(tag), V(digest), or nothing.", type: str, returned: always}
    major: {description: Whether it is a major step., type: bool, returned: always}
    held: {description: "The newest tag, where only O(majors) would take it.", type: str, returned: always}
    moved: {description: Whether the tag stands for another digest than when it was locked., type: bool, returned: always}
    notes: {description: What the entry says of the versions on the way., type: list, elements: str, returned: always}
failures:
  description: Images that could not be asked for.
  returned: updates, update, lock
  type: list
  elements: dict
files:
  description: Files that were written, or would be.
  returned: always
  type: list
  elements: str
"""
