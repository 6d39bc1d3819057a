"""What a policy asks for that has no effect yet: said whenever it differs from the default, so that nothing is silently ignored.

When a field gets its effect, its line in ``LATER`` goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from descheduler.policy.policy import Policy, Spec
from descheduler.policy.wording import Location, field_path

MESSAGE = "parsed and checked; takes effect in a later version"

LATER: tuple[tuple[Location, Callable[[Spec], object]], ...] = (
    (("spec", "trigger", "seenInRuns"), lambda spec: spec.trigger.seen_in_runs),
    (("spec", "limits", "perWindow"), lambda spec: spec.limits.per_window),
    (("spec", "schedule", "timeZone"), lambda spec: spec.schedule.time_zone),
    (("spec", "schedule", "windows"), lambda spec: spec.schedule.windows),
    (("spec", "schedule", "blackouts"), lambda spec: spec.schedule.blackouts),
    (("spec", "cooldown", "perWorkload"), lambda spec: spec.cooldown.per_workload),
    (("spec", "cooldown", "backoffMax"), lambda spec: spec.cooldown.backoff_max),
    (("spec", "routes"), lambda spec: spec.routes),
    (("spec", "secondLook", "minGainShare"), lambda spec: spec.second_look.min_gain_share),
    (("spec", "secondLook", "planMaxAge"), lambda spec: spec.second_look.plan_max_age),
)
"""(where in YAML, how to get the value)."""


def without_effect(policy: Policy) -> Iterator[tuple[Location, str]]:
    """Every field set to something other than the default whose effect comes later: where, and what to say."""
    default = Spec()
    for location, value in LATER:
        if value(policy.spec) != value(default):
            yield location, MESSAGE
    for i, override in enumerate(policy.spec.overrides):
        if "seen_in_runs" in override.trigger.model_fields_set and override.trigger.seen_in_runs != default.trigger.seen_in_runs:
            yield ("spec", "overrides", i, "trigger", "seenInRuns"), MESSAGE


def notes(policy: Policy) -> tuple[str, ...]:
    """The same as lines of text, ``field: message``."""
    return tuple(f"{field_path(location)}: {message}" for location, message in without_effect(policy))
