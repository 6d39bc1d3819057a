"""Writes what a client needs to reach a test cluster. (JSON is YAML.)"""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SEC1_BEFORE = bytes.fromhex("30310201010420")
_SEC1_AFTER = bytes.fromhex("a00a06082a8648ce3d030107")


def write_kubeconfig(path: Path, name: str, server: str, certificate_authority: Path, token: str) -> Path:
    """A kubeconfig with one cluster, user and context, all called ``name``; returns ``path``."""
    authority = base64.b64encode(certificate_authority.read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))
    return path


def write_signing_key(path: Path) -> Path:
    """A fresh P-256 private key, with which a cluster signs the tokens of its ServiceAccounts; returns ``path``.

    The key is any number below the order of the curve; RFC 5915 puts it between fixed bytes, and whoever reads it derives the
    public half. So no cryptographic library is needed here.
    """
    number = 1 + secrets.randbelow(_P256_ORDER - 1)
    encoded = base64.b64encode(_SEC1_BEFORE + number.to_bytes(32, "big") + _SEC1_AFTER).decode()
    path.touch(mode=0o600)
    path.write_text(f"-----BEGIN EC PRIVATE KEY-----\n{encoded}\n-----END EC PRIVATE KEY-----\n")
    return path
