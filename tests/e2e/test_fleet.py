"""Two apps by the site playbook in real containers, and reconcile that looks into them."""

from __future__ import annotations

from e2e.site import Played, Site

SITE, RECONCILE = "playbooks/site.yml", "playbooks/reconcile.yml"
APPS = {"hello": {"app_catalog_id": "lab-web"}, "e2e-pair": {"app_catalog_id": "lab-notes"}}
VERIFY = ("-e", "proximity_verify=true")
FAIL_ON = ("-e", '{"reconcile_fail_on": ["missing", "drifted", "unknown", "damaged"]}')


def _worked(played: Played) -> Played:
    assert played.status == 0, played.output[-4000:]
    return played


def test_site_deploys_both_and_then_enters_neither(site: Site) -> None:
    _worked(site.play(SITE, APPS))
    for name in APPS:
        assert site.record(site.guest(name))["status"] == "running"
        assert site.page(site.guest(name))
    again = _worked(site.play(SITE, APPS, "-vvv"))
    assert again.changed_tasks() == []
    assert "pct exec" not in again.output


def test_reconcile_finds_nothing_outside_nor_inside(site: Site) -> None:
    told = _worked(site.play(RECONCILE, APPS, *VERIFY, *FAIL_ON))
    said = " ".join(told.output.split())
    assert not [name for name in ("hello", "e2e-pair") if f"of {name} is not as declared" in said]
    assert f"pct exec {site.guest('hello')['vmid']}" not in told.changed_tasks()


def test_reconcile_sees_what_was_changed_inside_and_leaves_it(site: Site) -> None:
    guest = site.guest("hello")
    site.inside(guest, "docker compose -p hello stop")
    told = site.play(RECONCILE, APPS, *VERIFY)
    assert told.status == 2, told.output[-4000:]
    assert "What runs in the container of hello is not as declared" in " ".join(told.output.split())
    assert (told.recap("hello")["failed"], told.recap("e2e-pair")["failed"]) == (1, 0)
    assert site.inside(guest, "docker compose -p hello ps --services --status running").strip() == ""
    assert site.record(guest)["status"] == "running", "a comparison records nothing"


def test_site_puts_it_right_when_it_verifies(site: Site) -> None:
    _worked(site.play(SITE, APPS, *VERIFY))
    assert site.page(site.guest("hello"))
    _worked(site.play(RECONCILE, APPS, *VERIFY, *FAIL_ON))


def test_both_are_removed_by_their_declaration(site: Site) -> None:
    gone = {name: {**about, "app_state": "absent"} for name, about in APPS.items()}
    _worked(site.play(RECONCILE, gone, "-e", '{"reconcile_repair": ["unwanted"]}'))
    assert not [row for row in site.get("/cluster/resources?type=vm") if row.get("name") in APPS]
