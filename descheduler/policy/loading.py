"""Files and directories → the one policy of a run, or every mistake in them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from descheduler.errors import PolicyError
from descheduler.policy.checking import check_document
from descheduler.policy.documents import Document, read_documents
from descheduler.policy.findings import Finding
from descheduler.policy.policy import KIND, Policy

LARGEST_FILE = 256 * 1024
"""Bytes; a policy is a few kilobytes."""
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy and the document it came from."""

    policy: Policy
    document: Document


def load_policy(paths: Sequence[Path]) -> Policy:
    """The one policy that files and directories hold together; without paths, the shipped default.

    Of a directory every ``*.yaml`` and ``*.yml`` directly in it is read, in order of name. Raises ``PolicyError`` with all
    mistakes, and when there is no policy or more than one.
    """
    if not paths:
        return Policy()
    loaded, mistakes = read_policies(paths)
    if mistakes:
        raise PolicyError([str(mistake) for mistake in mistakes])
    if len(loaded) != 1:
        told = ", ".join(f"{one.document.file}:{one.document.line}" for one in loaded)
        raise PolicyError([f"{told}: {len(loaded)} policies ({KIND}), must be exactly one; name its file"])
    return loaded[0].policy


def policy_from_text(text: str, file: str = "policy.yaml") -> Policy:
    """The one policy in a text; ``file`` is its name in messages. Raises ``PolicyError`` like ``load_policy``."""
    loaded, mistakes = _read_text(text, file)
    if mistakes or len(loaded) != 1:
        raise PolicyError([str(m) for m in mistakes] or [f"{file}: {len(loaded)} policies ({KIND}), must be exactly one"])
    return loaded[0].policy


def read_policies(paths: Sequence[Path]) -> tuple[list[Loaded], list[Finding]]:
    """Every policy in files and directories, and every mistake; a file named twice is read once."""
    loaded: list[Loaded] = []
    mistakes: list[Finding] = []
    seen: set[Path] = set()
    for path in paths:
        files = _files(path)
        if isinstance(files, Finding):
            mistakes.append(files)
            continue
        for file in files:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                more, wrong = _read_file(file)
                loaded += more
                mistakes += wrong
    return loaded, mistakes


def _files(path: Path) -> list[Path] | Finding:
    """The files a path stands for, or why there are none."""
    try:
        if path.is_dir():
            # Names with a leading dot are skipped: a mounted ConfigMap keeps its older versions under them.
            found = [f for f in sorted(path.iterdir()) if f.suffix in SUFFIXES and not f.name.startswith(".") and f.is_file()]
            return found or Finding(str(path), 0, "", "no policy here: the directory has no *.yaml or *.yml file")
        return [path] if path.exists() else Finding(str(path), 0, "", "no such file or directory")
    except OSError as error:
        return Finding(str(path), 0, "", f"cannot be read: {error.strerror or error}")


def _read_file(path: Path) -> tuple[list[Loaded], list[Finding]]:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        return [], [Finding(str(path), 0, "", f"cannot be read: {error.strerror or error}")]
    if len(raw) > LARGEST_FILE:
        return [], [Finding(str(path), 0, "", f"is larger than {LARGEST_FILE // 1024} KiB, which no policy is")]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return [], [Finding(str(path), line, "", f"must be UTF-8 text, but has the byte 0x{raw[error.start]:02x}")]
    return _read_text(text, str(path))


def _read_text(text: str, file: str) -> tuple[list[Loaded], list[Finding]]:
    reading = read_documents(text, file)
    loaded: list[Loaded] = []
    mistakes = list(reading.mistakes)
    for document in reading.documents:
        policy, wrong = check_document(document)
        mistakes += wrong
        if policy is not None:
            loaded.append(Loaded(policy, document))
    if not reading.documents and not mistakes:
        mistakes.append(Finding(file, 1, "", f"no policy here: the file is empty, must hold a {KIND}"))
    return loaded, sorted(dict.fromkeys(mistakes), key=lambda m: m.line)
