"""Credentials: kubeconfigs, plugins and a pod's account; a plugin that fails never means going on without."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from descheduler.errors import UsageError
from descheduler.federation.kube_config import IN_CLUSTER, Context, InCluster, NoCredentials, client_for, default_access
from tests.federation.local_api import TOKEN, kubeconfig

PLUGIN_VERSION = "client.authentication.k8s.io/v1"


@pytest.fixture(autouse=True)
def _nobody_s_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def plugin(script: str) -> dict[str, object]:
    """A user whose credentials come from a program."""
    return {"exec": {"apiVersion": PLUGIN_VERSION, "command": sys.executable, "args": ["-c", script], "interactiveMode": "Never"}}


def account(folder: Path) -> Path:
    folder.mkdir()
    (folder / "token").write_text(TOKEN)
    (folder / "ca.crt").write_text("not looked at before the first connection")
    return folder


def test_the_named_context_is_used_and_the_file_left_as_it_was(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k", {"east": "http://127.0.0.1:1", "west": "http://127.0.0.1:2"})
    before = path.read_bytes()

    client = client_for(Context(str(path), "west"))

    assert client.configuration.host == "http://127.0.0.1:2"
    assert client.configuration.api_key == {"BearerToken": f"Bearer {TOKEN}"}
    assert path.read_bytes() == before


def test_two_clients_share_nothing(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k", {"east": "http://127.0.0.1:1", "west": "http://127.0.0.1:2"})

    hosts = [client_for(Context(str(path), name)).configuration.host for name in ("east", "west", "")]

    assert hosts == ["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:1"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there is no kubeconfig at"),
        ("{", "expected"),
        ("kind: Config\n", "Invalid kube-config"),
        ("[]", ""),
    ],
)
def test_a_kubeconfig_that_is_none_is_told_in_one_line(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "k"
    if text:
        path.write_text(text)

    with pytest.raises(NoCredentials) as refused:
        client_for(Context(str(path), "east"))

    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k", {"east": "http://127.0.0.1:1"})

    with pytest.raises(NoCredentials, match="west"):
        client_for(Context(str(path), "west"))


def test_a_plugin_s_token_is_used(tmp_path: Path) -> None:
    answer = f'{{"apiVersion": "{PLUGIN_VERSION}", "kind": "ExecCredential", "status": {{"token": "from-plugin"}}}}'
    path = kubeconfig(tmp_path / "k", {"east": "http://127.0.0.1:1"}, user=plugin(f"print('''{answer}''')"))

    assert client_for(Context(str(path))).configuration.api_key == {"BearerToken": "Bearer from-plugin"}


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("import sys; sys.exit('log in first')", "exec: process returned 1. log in first"),
        ("print('hello')", "exec: failed to decode process output"),
        (f'print(\'{{"apiVersion": "{PLUGIN_VERSION}", "kind": "ExecCredential", "status": {{}}}}\')', "exec: missing token"),
    ],
)
def test_a_broken_plugin_is_told_and_nobody_goes_on_without_credentials(script: str, told: str, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k", {"east": "http://127.0.0.1:1"}, user=plugin(script))

    with pytest.raises(NoCredentials) as refused:
        client_for(Context(str(path)))

    assert str(refused.value).startswith(told)


def test_a_proxy_of_the_environment_is_not_for_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    path = kubeconfig(tmp_path / "k", {"here": "http://127.0.0.1:1", "there": "http://there.invalid:1"})

    proxies = [client_for(Context(str(path), name)).configuration.proxy for name in ("here", "there")]

    assert proxies == [None, "http://proxy.invalid:3128"]


def test_a_pod_s_account_is_read_from_its_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    folder = account(tmp_path / "account")

    configuration = client_for(InCluster(folder)).configuration

    assert configuration.host == "https://10.0.0.1:443"
    assert configuration.api_key == {"BearerToken": f"bearer {TOKEN}"}
    assert configuration.ssl_ca_cert == str(folder / "ca.crt")


def test_a_pod_without_a_token_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    with pytest.raises(NoCredentials, match="Service token file does not exist"):
        client_for(InCluster(tmp_path))


# Without a fleet file.


def test_the_current_context_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kubeconfig(tmp_path / "k", {"east": "http://127.0.0.1:1", "west": "http://127.0.0.1:2"}, current="west")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'nowhere'}{os.pathsep}{path}")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    name, access = default_access(tmp_path)

    assert name == "west"
    assert client_for(access).configuration.host == "http://127.0.0.1:2"


@pytest.mark.parametrize("text", [None, "", "kind: Config\n"])
def test_a_pod_without_a_current_context_is_its_own_cluster(text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if text is not None:
        (tmp_path / "nowhere").write_text(text)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    assert default_access(tmp_path) == (IN_CLUSTER, InCluster(tmp_path))


def test_with_neither_there_is_no_fleet(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="say which fleet: --fleet FILE or --snapshot DIR"):
        default_access(tmp_path)


def test_a_broken_kubeconfig_is_no_reason_to_take_another_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nowhere").write_text("{")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    with pytest.raises(UsageError, match="is not a kubeconfig"):
        default_access(tmp_path)
