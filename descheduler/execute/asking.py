"""How an API server is asked to change something: again while it is busy, as often as others write in between, and never on a guess."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from datetime import timedelta
from typing import Any

from descheduler.execute.world import Surprise, World, read_same, terminating
from descheduler.ports import Answer, Body, Object

BUDGET = "DisruptionBudget"
"""The cause by which the Eviction API says that a PodDisruptionBudget refuses."""
NOT_OURS = "LeaseNotOurs"
"""The reason by which our own fence refuses a write."""
TRIES = 4
BUSY_PAUSE = timedelta(seconds=2)
"""How long to leave an API server alone that is too busy and does not say for how long."""
LONGEST_PAUSE = timedelta(seconds=30)


def ask(world: World, deed: Callable[[], Answer], subject: object, fine: Container[int] = ()) -> Answer:
    """Do it; a refusal is a Surprise, but for codes that are ``fine``. The answer may still be ``unknown``: then look.

    Only what the server was too busy for (429 that no budget is behind) is tried again: it did nothing.
    """
    answer = deed()
    for _ in range(TRIES - 1):
        if not busy(answer):
            break
        _rest(world, BUSY_PAUSE if answer.retry_after_seconds is None else timedelta(seconds=answer.retry_after_seconds))
        answer = deed()
    if not answer.done and not answer.unknown and answer.code not in fine:
        raise refusal(answer, subject)
    return answer


def _rest(world: World, pause: timedelta) -> None:
    """Leave a busy server alone; not for long once the run shall come to an end."""
    until = world.clock.now() + min(pause, LONGEST_PAUSE)
    while world.clock.now() < until and world.stop() is None:
        world.clock.sleep(min(timedelta(seconds=1), until - world.clock.now()))


def busy(answer: Answer) -> bool:
    """Priority and fairness, or too many requests at once: no budget has to do with it (kubernetes.md section 2)."""
    return answer.code == 429 and BUDGET not in answer.causes


def patched(world: World, what: Object, patch: Body, subject: object) -> None:
    """Patch until it is known to be done; guarded by UID, it may be sent again when nobody answered. Raises Surprise."""
    for _ in range(TRIES):
        answer = ask(world, lambda: world.actuator.patch(what, patch), subject)
        if answer.done:
            return
        body = world.reader.read(what)
        if body is not None and _shows(body, patch):
            return
    raise Surprise("churn", f"{subject}: not answered {TRIES} times")


def rewritten(world: World, what: Object, change: Callable[[Body], dict[str, Any]], subject: object) -> None:
    """Patch an object as it was read, anew as often as somebody else writes it in between. Raises Surprise.

    For what a merge patch replaces whole, such as a list.
    """
    for _ in range(TRIES):
        body = read_same(world, what)
        if body is None:
            raise Surprise("churn", f"{subject}: {what.name} is gone")
        patch = change(body)
        patch["metadata"] = {**patch.get("metadata", {}), "resourceVersion": body["metadata"]["resourceVersion"]}
        answer = ask(world, lambda patch=patch: world.actuator.patch(what, patch), subject, fine=(409,))  # type: ignore[misc]
        if answer.done:
            return
        if answer.reason == NOT_OURS:
            raise refusal(answer, subject)
        if answer.unknown and (now := read_same(world, what)) is not None and _shows(now, patch):
            return
    raise Surprise("churn", f"{subject}: not done in {TRIES} tries")


def without_gate(pod: Body, name: str) -> list[Body]:
    """The pod's scheduling gates but one."""
    return [gate for gate in pod["spec"].get("schedulingGates") or () if gate["name"] != name]


def deleted(world: World, what: Object) -> None:
    """Delete, and know that it is on its way out or gone. Raises Surprise."""
    answer = ask(world, lambda: world.actuator.delete(what), f"{what.name}: deletion", fine=(404,))
    if answer.unknown:
        body = read_same(world, what)
        if body is not None and not terminating(body):
            raise Surprise("churn", f"{what.name}: its deletion was not answered, and it is still there")


def _shows(body: Any, patch: Any) -> bool:
    """Whether an object is as a merge patch wants it; what only guards the patch is not looked at."""
    if not isinstance(patch, Mapping):
        return bool(body == patch)
    told: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    wanted = ((key, value) for key, value in patch.items() if key not in ("resourceVersion", "uid"))
    return all(key not in told if value is None else _shows(told.get(key), value) for key, value in wanted)


def refusal(answer: Answer, subject: object) -> Surprise:
    """The API server's refusal in words."""
    cause = "budget" if BUDGET in answer.causes or answer.code == 429 else "churn" if answer.code in (404, 409) else "scheduling"
    return Surprise(cause, f"{subject}: {answer.code} {answer.message or answer.reason}".rstrip())
