"""What a policy asks for that has no effect yet: said whenever it differs from the default, so that nothing is silently ignored.

When a field gets its effect, its line in ``LATER`` goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from descheduler.policy.policy import Policy, Spec
from descheduler.policy.wording import Location, field_path

MESSAGE = "parsed and checked; takes effect in a later version"

LATER: tuple[tuple[Location, Callable[[Spec], object]], ...] = ((("spec", "routes"), lambda spec: spec.routes),)
"""(where in YAML, how to get the value)."""


def without_effect(policy: Policy) -> Iterator[tuple[Location, str]]:
    """Every field set to something other than the default whose effect comes later: where, and what to say."""
    default = Spec()
    for location, value in LATER:
        if value(policy.spec) != value(default):
            yield location, MESSAGE


def notes(policy: Policy) -> tuple[str, ...]:
    """The same as lines of text, ``field: message``."""
    return tuple(f"{field_path(location)}: {message}" for location, message in without_effect(policy))
