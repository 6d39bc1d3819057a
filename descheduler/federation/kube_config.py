"""Where credentials come from: a kubeconfig and a context, or the account a pod is given. One client per cluster, never a global one."""

# mypy: allow-untyped-calls
# (the client's configuration loaders carry no types)

from __future__ import annotations

import ipaddress
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import getproxies

from kubernetes.client import ApiClient, Configuration
from kubernetes.config.incluster_config import SERVICE_HOST_ENV_NAME, InClusterConfigLoader
from kubernetes.config.kube_config import ENV_KUBECONFIG_PATH_SEPARATOR, KubeConfigLoader, KubeConfigMerger

from descheduler import __version__
from descheduler.errors import UsageError

IN_CLUSTER = "in-cluster"
NO_FLEET = "say which fleet: --fleet FILE or --snapshot DIR; there is no kubeconfig with a current context here, and this is not a pod"


class NoCredentials(Exception):
    """The cluster cannot even be asked; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Context:
    """One context of a kubeconfig."""

    kubeconfig: str
    """One path, or several as in $KUBECONFIG."""
    name: str = ""
    """Empty: the current one."""


@dataclass(frozen=True, slots=True)
class InCluster:
    """The account of the pod this runs in."""

    directory: Path
    """Holds ``token`` and ``ca.crt``."""


Access = Context | InCluster


def default_kubeconfig() -> str:
    """What kubectl would read: $KUBECONFIG, or the file in the home directory."""
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def default_access(service_account: Path) -> tuple[str, Access]:
    """The current context and its name or, where there is no kubeconfig, the account of the pod.

    Raises UsageError when there is neither.
    """
    kubeconfig = default_kubeconfig()
    current = None if _blank(kubeconfig) else _current_context(kubeconfig)
    if current:
        return current, Context(kubeconfig, current)
    if os.environ.get(SERVICE_HOST_ENV_NAME):
        return IN_CLUSTER, InCluster(service_account)
    raise UsageError(NO_FLEET)


def _blank(kubeconfig: str) -> bool:
    """Whether every file named is missing or empty."""
    paths = [home_expanded(part) for part in kubeconfig.split(ENV_KUBECONFIG_PATH_SEPARATOR) if part]
    return not any(path.is_file() and path.stat().st_size for path in paths)


def _current_context(kubeconfig: str) -> str:
    try:
        told = KubeConfigMerger(kubeconfig).config.value.get("current-context")
    except Exception as error:  # noqa: BLE001  # the client's loader fails in many ways on a file that is no kubeconfig
        raise UsageError(f"{kubeconfig}: is not a kubeconfig: {_line(error)}") from None
    return told if isinstance(told, str) else ""


def client_for(access: Access) -> ApiClient:
    """A client of its own for this cluster. Raises NoCredentials."""
    configuration = Configuration()
    heard = _Heard()
    logging.getLogger().addHandler(heard)  # a failing exec plugin is only logged, and the client goes on without credentials
    try:
        _load(access, configuration)
    except Exception as error:  # likewise: whatever the loader raises, this cluster cannot be asked
        raise NoCredentials(_line(error)) from error
    finally:
        logging.getLogger().removeHandler(heard)
    if heard.told and "BearerToken" not in configuration.api_key and not configuration.cert_file:
        raise NoCredentials(printable(" ".join(heard.told)))
    configuration.retries = False  # ours: the client's own would repeat DELETE and PUT
    configuration.connection_pool_maxsize = 4
    if _loopback(configuration.host) and configuration.proxy in getproxies().values():
        configuration.proxy = None  # as client-go does: the environment's proxy is not for this machine
    client = ApiClient(configuration=configuration)
    client.user_agent = f"descheduler/{__version__}"
    client.set_default_header("Accept-Encoding", "gzip")
    return client


def _load(access: Access, configuration: Configuration) -> None:
    if isinstance(access, InCluster):
        InClusterConfigLoader(
            token_filename=str(access.directory / "token"), cert_filename=str(access.directory / "ca.crt"), environ=os.environ
        ).load_and_set(configuration)
        return
    merged = KubeConfigMerger(access.kubeconfig).config
    if merged is None:
        raise NoCredentials(f"there is no kubeconfig at {access.kubeconfig}")
    KubeConfigLoader(config_dict=merged, active_context=access.name or None).load_and_set(configuration)


def _loopback(server: str) -> bool:
    host = urlparse(server).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _line(error: Exception) -> str:
    return printable(str(error)) or type(error).__name__


def printable(text: str) -> str:
    """One printable line of bearable length: these words come from elsewhere and end on a terminal."""
    line = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    return line if len(line) <= 300 else f"{line[:297]}..."


def home_expanded(path: str) -> Path:
    """The path with ``~`` resolved. Raises UsageError for the home of somebody unknown."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{path}: {printable(str(error))}") from None


class _Heard(logging.Handler):
    """Keeps what one thread logs as errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: Any) -> None:
        if record.thread == self._thread:
            self.told.append(record.getMessage())
