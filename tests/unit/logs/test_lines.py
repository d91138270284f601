"""Lines: made without secrets, taken from results, read back and chosen."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.logs import lines
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOG = [
    {"time": "2026-02-20T00:00:00Z", "level": "info", "step": "create", "message": "Done: create guest 8123"},
    {"time": "2026-03-01T10:00:00Z", "level": "debug", "step": "docker", "message": "Docker was there"},
    {"time": "2026-03-01T11:00:00Z", "level": "warning", "step": "services", "message": "No Image yet"},
    {"time": "2026-03-01T11:30:00Z", "level": "error", "step": "failed", "message": "The image does not start"},
]
SECRET = "s3cr3t-Value/1"


@pytest.mark.parametrize(
    "text",
    [
        f"cannot reach https://anna:{SECRET}@example.net/x",
        f"Authorization: PVEAPIToken=anna@pve!x={SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"invalid value DB_PASSWORD={SECRET} in .env",
        f'{{"password": "{SECRET}", "user": "anna"}}',
        f"api_token_secret: {SECRET}",
        f"APP_KEY='{SECRET}'",
        f"env APITOKEN={SECRET}, and more",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    assert SECRET not in lines.make_line("info", "x", text)["message"]


@pytest.mark.parametrize(
    "text", ["The token was not accepted: give it Sys.Audit.", "Secrets: 3", "see https://example.net:8080/a@b", "key = value"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert lines.scrubbed(text) == text


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    assert lines.scrubbed(f"it said {SECRET}!", [SECRET]) == "it said ********!"


def test_a_message_is_one_line_of_bounded_length() -> None:
    message = lines.scrubbed("a\nb\tc " + "x" * 2000)
    assert message.startswith("a b c x")
    assert len(message) == lines.LONGEST


@given(st.text())
def test_any_text_survives_writing_and_reading(text: str) -> None:
    line = lines.make_line("info", "step", text, NOW)
    assert list(lines.read_lines(lines.write_lines([line]))) == [line]


def test_lines_come_from_results_and_their_items_and_never_from_hidden_ones() -> None:
    assert lines.lines_of({"log": LOG}) == LOG
    assert lines.lines_of({"results": [{"log": LOG[:1]}, {"log": LOG[1:], "_ansible_no_log": True}, "text"]}) == LOG[:1]
    assert lines.lines_of({"log": LOG, "censored": "the output has been hidden"}) == []
    assert lines.lines_of({"log": [{"time": 1}, "text", {**LOG[0], "args": SECRET}]}) == LOG[:1]
    assert lines.lines_of({"log": "text"}) == lines.lines_of({}) == []


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"msg": "Task failed: It broke"}, "It broke"),
        ({"msg": "non-zero return code", "stderr": "no such\nfile", "cmd": SECRET}, "no such file"),
        ({"msg": "non-zero return code", "stderr": ""}, "non-zero return code"),
        ({"stdout": "only this"}, "only this"),
        ({}, "It did not say why."),
        ({"censored": "hidden", "msg": SECRET}, lines.HIDDEN),
        ({"msg": SECRET, "_ansible_no_log": True}, lines.HIDDEN),
        ({"msg": "One or more items failed", "results": [{"msg": "fine"}, {"failed": True, "msg": "the second"}]}, "the second"),
        ({"msg": "One or more items failed", "results": [{"failed": True, "_ansible_no_log": True, "msg": SECRET}]}, lines.HIDDEN),
    ],
)
def test_why_a_task_failed(result: dict[str, object], told: str) -> None:
    assert lines.failure_text(result) == told


@pytest.mark.parametrize(
    ("choice", "fits"),
    [
        ({}, [0, 1, 2, 3]),
        ({"last": 2}, [2, 3]),
        ({"last": "2", "level": "info"}, [2, 3]),
        ({"level": "warning"}, [2, 3]),
        ({"step": "docker, failed"}, [1, 3]),
        ({"step": ["create"]}, [0]),
        ({"contains": "image"}, [2, 3]),
        ({"since": "90min"}, [2, 3]),
        ({"since": "1d"}, [1, 2, 3]),
        ({"since": "2026-03-01T12:30:00+01:00"}, [3]),
        ({"contains": "nothing"}, []),
    ],
)
def test_choosing(choice: dict[str, object], fits: list[int]) -> None:
    assert lines.choose_lines(LOG, choice, NOW) == [LOG[number] for number in fits]


@pytest.mark.parametrize("choice", [{"last": "many"}, {"last": -1}, {"level": "fatal"}, {"since": "yesterday"}, {"since": "2026-03-01"}])
def test_a_choice_that_nothing_can_fit_is_refused(choice: dict[str, object]) -> None:
    with pytest.raises(SpecError, match=next(iter(choice))):
        lines.choose_lines(LOG, choice, NOW)


def test_half_a_line_is_shown_and_does_not_hide_the_others() -> None:
    text = json.dumps(LOG[0]) + '\n{"time": "2026-0\n[1]\n' + json.dumps(LOG[1]) + "\n"
    read = list(lines.read_lines(text))
    assert (read[0], read[3]) == (LOG[0], LOG[1])
    assert [line["level"] for line in read[1:3]] == ["warning", "warning"]
    assert read[1]["message"].endswith('{"time": "2026-0')
