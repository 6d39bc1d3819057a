"""What is learnt about a cluster before anything is believed: who we are there, which cluster it is, what we may list."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from descheduler.domain.marks import HOLD_API, HOLD_NAMESPACE, HOLD_POLICY, RECOVER_JOB
from descheduler.federation.kube import Connection, Refused
from descheduler.federation.kube_lists import LISTS, Listing
from descheduler.ports import Body

ANONYMOUS = "system:anonymous"
OLDEST_FOR_SURGE = (1, 22)
"""``pod-deletion-cost`` decides which replica goes from this version on (kubernetes.md 1.2)."""
ADMISSION_KINDS = ("mutatingadmissionpolicies", "mutatingadmissionpolicybindings")
ADMISSION_VERSIONS = ("v1", "v1beta1")
RECENT = timedelta(minutes=30)
"""How old the last success of the recover job may be."""
_VERSION = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """One cluster, known well enough to be read."""

    user: str
    """Who the API server takes us for; empty when it is too old to say."""
    uid: str
    """UID of kube-system."""
    server_version: str
    movers: tuple[str, ...]
    """Techniques the cluster has what is needed for; whether we may use them is asked before acting."""
    lacking: tuple[Listing, ...]
    """What can be done without but may not be listed."""


def discover(connection: Connection, uid: str = "") -> Discovered:
    """Everything about a cluster but its objects; ``uid`` is the kube-system UID it must have, if one is known.

    Raises Refused for a cluster that does not answer, is another one, or keeps from us what a plan needs.
    """
    user = whoami(connection)
    found = _identity_if_allowed(connection, uid)
    lacking = _lacking(connection)
    verbs = ([] if found else ["get namespaces"]) + _verbs(listing for listing in lacking if listing.needed)
    if verbs:
        account = f"{user} " if user else ""
        raise Refused(f"{account}may not {', '.join(verbs)}", 403)
    version = _server_version(connection)
    return Discovered(
        user=user, uid=found, server_version=version, movers=movers_found(version, hold=hold_works(connection)), lacking=tuple(lacking)
    )


def whoami(connection: Connection) -> str:
    """The name the API server knows us by; empty where it cannot say (before Kubernetes 1.28).

    Raises Refused when it takes us for nobody: a list that is empty for nobody is not an empty list.
    """
    try:
        status = connection.review("/apis/authentication.k8s.io/v1/selfsubjectreviews", "SelfSubjectReview", {})
    except Refused as refusal:
        if refusal.code == 404:
            return ""
        if refusal.code == 403:
            raise Refused(f"we may not even ask who we are: {refusal}", 403) from refusal
        raise
    about = status.get("userInfo")
    user = about.get("username") if isinstance(about, dict) else None
    if not isinstance(user, str) or not user:
        raise Refused("the API server does not say who we are: is a proxy in between?")
    if user == ANONYMOUS:
        raise Refused(f"the API server takes us for {ANONYMOUS}: no credentials reached it", 401)
    return user


def identity(connection: Connection, uid: str = "") -> str:
    """The UID of kube-system. Raises Refused when it is not ``uid``, if one is given."""
    try:
        meta = connection.get("/api/v1/namespaces/kube-system", kind="Namespace").get("metadata")
    except Refused as refusal:
        raise Refused(f"get namespace kube-system: {refusal}", refusal.code) from refusal
    found = meta.get("uid") if isinstance(meta, dict) else None
    if not isinstance(found, str) or not found:
        raise Refused("the namespace kube-system has no UID: is a proxy in between?")
    if uid and found != uid:
        raise Refused(f"{connection.server} is another cluster: kube-system has the UID {found}, the fleet file says {uid}")
    return found


def remark_on(lacking: Iterable[Listing]) -> str:
    """What is told about kinds that are done without."""
    return f"may not {', '.join(_verbs(lacking))}: taken as unknown"


def movers_found(server_version: str, *, hold: bool = False) -> tuple[str, ...]:
    """Surge and Evict need nothing installed, Recreate only a policy that wants it; Hold is asked for by ``hold_works``."""
    told = _VERSION.match(server_version)
    old = told is not None and (0, 0) < (int(told[1]), int(told[2])) < OLDEST_FOR_SURGE
    found = {"Surge": not old, "Hold": hold, "Evict": True, "Recreate": True}
    return tuple(mover for mover, works in found.items() if works)


def hold_works(connection: Connection) -> bool:
    """Whether pods can be held here: policy, binding and CRD are installed, and a recover job had a recent success (DESIGN.md 8).

    What we may not ask about is not there. Whether the policy does what it shall is probed before anything is evicted.
    """
    if _there(connection, f"/apis/{HOLD_API}") is None:
        return False
    paths = [f"/apis/admissionregistration.k8s.io/{{}}/{kind}/{HOLD_POLICY}" for kind in ADMISSION_KINDS]
    if not any(all(_there(connection, path.format(version)) is not None for path in paths) for version in ADMISSION_VERSIONS):
        return False
    job = _there(connection, f"/apis/batch/v1/namespaces/{HOLD_NAMESPACE}/cronjobs/{RECOVER_JOB}")
    told = ((job or {}).get("status") or {}).get("lastSuccessfulTime")
    try:
        last = datetime.strptime(str(told), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(connection.now() - last) < RECENT  # what is far in the future by our clock may be old by the cluster's


def _there(connection: Connection, path: str) -> Body | None:
    """What is at the path; ``None`` when there is nothing, or nothing for us. Raises Refused."""
    try:
        return connection.get(path)
    except Refused as refusal:
        if refusal.code in (403, 404):
            return None
        raise


def _identity_if_allowed(connection: Connection, uid: str) -> str:
    """Empty when that may not be asked: then what else may not be is told with it."""
    try:
        return identity(connection, uid)
    except Refused as refusal:
        if refusal.code != 403:
            raise
        return ""


def _verbs(listings: Iterable[Listing]) -> list[str]:
    return [f"list {listing.shown}" for listing in listings]


def _lacking(connection: Connection) -> list[Listing]:
    """The kinds we have no right to list in all namespaces, found before the first list is asked for."""
    found = []
    for listing in LISTS:
        asked = {"resourceAttributes": {"verb": "list", "group": listing.group, "resource": listing.resource}}
        try:
            status = connection.review("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "SelfSubjectAccessReview", asked)
        except Refused as refusal:
            if refusal.code in (403, 404):
                return []  # rights cannot be asked about here: the lists themselves will say
            raise
        if status.get("allowed") is not True:
            found.append(listing)
    return found


def _server_version(connection: Connection) -> str:
    try:
        told = connection.get("/version").get("gitVersion")
    except Refused as refusal:
        if refusal.code in (401, 403, 404):
            return ""
        raise
    return told if isinstance(told, str) and told.isascii() and told.isprintable() else ""
