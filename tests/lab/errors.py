"""How a call is refused."""

from __future__ import annotations

FAILED_PARAMETERS = "Parameter verification failed."


class Refusal(Exception):
    """A call that is not answered with 200: the text is the reason phrase; `errors` names parameters."""

    def __init__(self, status: int, text: str, errors: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.errors = status, text, errors


class TaskFailure(Exception):
    """What a task was to do has failed; the text becomes its exit status."""


class WorkerGone(BaseException):
    """The node of a task has lost power: it does nothing any more, and tidies nothing up."""


def refuse(text: str, errors: dict[str, str] | None = None) -> Refusal:
    """500: the state does not allow it."""
    return Refusal(500, text, errors)


def wrong(errors: dict[str, str]) -> Refusal:
    """400: these parameters are wrong, each with its text."""
    return Refusal(400, FAILED_PARAMETERS, errors)


def forbidden(what: str = "") -> Refusal:
    """403; `what` is shown in brackets: `/vms/100, VM.Audit`, or a sentence."""
    return Refusal(403, "Permission check failed" + (f" ({what})" if what else ""))
