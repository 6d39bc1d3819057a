"""The annotations, labels and gates that the tool writes, and those of others that it writes or heeds while it acts."""

from __future__ import annotations

DOMAIN = "fleet.descheduler.io"

MOVE_OF = f"{DOMAIN}/move-of"
"""On a copy: the UID of the pod whose place it takes."""
RUN = f"{DOMAIN}/run"
"""On whatever a run made: that run's id."""
EXPIRES = f"{DOMAIN}/expires"
"""On a copy: RFC 3339; after it, recovery may remove what nobody finished."""
PIN = f"{DOMAIN}/pin"
"""On a pod that was sent to a node: the hostname label value that was added to its nodeSelector; reading takes that away again."""
PREVIOUS_COST = f"{DOMAIN}/previous-deletion-cost"
"""On a victim: the user's own deletion cost while ours is there; empty when there was none."""
TOUCHED = f"{DOMAIN}/touched"
"""On a reserved copy: changed to remind the scheduler of its nomination. On a bare pod: changed so that an old eviction fails."""

JOURNAL = f"{DOMAIN}/journal"
"""Label of a PodTemplate that keeps the manifest of a bare pod while that is being moved."""
JOURNAL_NAME = f"{DOMAIN}/journal-name"
"""On a journal: the name of the pod."""
JOURNAL_UID = f"{DOMAIN}/journal-uid"
"""On a journal, and on the pod made of it: the UID of the pod that was."""

RESERVED_GATE = f"{DOMAIN}/reserved"
"""Our own scheduling gate on a reserved copy."""
HOLD_GATE = f"{DOMAIN}/hold"
"""The scheduling gate that the admission policy puts on pods of held controllers."""

HOLD_API = f"{DOMAIN}/v1alpha1"
HOLD_KIND = "PlacementHold"
OUR_NAMESPACE = "descheduler"
"""Where Lease, state, halt switch and hold live, in every cluster acted on."""
LEASE_NAME = "descheduler"
UNFINISHED = f"{DOMAIN}/unfinished"
"""On the Lease: the run that gave it back although something may be left for recovery to end."""
STATE_NAME = "descheduler-state"
HALT_NAME = "descheduler-halt"
"""A ConfigMap; while it exists nothing is begun."""
HOLD_NAMESPACE = OUR_NAMESPACE
HOLD_NAME = "current"
"""One object for all namespaces: the policy's binding names it (kubernetes.md 1.5)."""
HOLD_POLICY = f"placement-hold.{DOMAIN}"
"""The MutatingAdmissionPolicy and its binding."""
RECOVER_JOB = "descheduler-recover"
"""The CronJob that releases what nobody came back for."""

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
MINIMAL_COST = -(2**31)
TEMPLATE_HASH = "pod-template-hash"
HOSTNAME = "kubernetes.io/hostname"
