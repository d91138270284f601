# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pages of the catalog say what its entries say."""

from __future__ import annotations

from catalog.pages import TARGET, pages

MADE = pages()


def test_the_pages_are_those_of_the_entries() -> None:
    written = {path.name: path.read_text() for path in TARGET.glob("*")}
    stale = sorted(name for name in {*written, *MADE} if written.get(name) != MADE.get(name))
    assert stale == [], "run tests/tools/catalog-pages"


def test_a_page_says_what_is_needed() -> None:
    page = MADE["miniflux.md"]
    for words in (
        "app_catalog_id: miniflux",
        "| 8080/tcp | pages (http) |",
        "| `admin_user` | string | `admin` | Name of the first administrator. |",
        "User: what the option `admin_user` says.",
        "It counts as healthy when `/healthcheck` on port 8080 answers 200.",
        "Password: the secret `ADMIN_PASSWORD`, in `/opt/proximity/<name>/secrets.env` of the container.",
        "| given | 1 | 512 MiB | 512 MiB | 6 GiB |",
        "Before a backup, pg_dump dumps the database of the service `db`.",
    ):
        assert words in page


def test_what_must_be_given_stands_in_the_example() -> None:
    assert "app_options:\n        admin_email: anna@example.com\n```" in MADE["seafile.md"]


def test_the_index_names_every_entry() -> None:
    assert [name for name in MADE if name != "index.md" and f"({name})" not in MADE["index.md"]] == []
