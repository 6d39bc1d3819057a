"""Reads one file of a snapshot into raw objects: JSON or YAML, gzipped or not, Lists, single objects or several documents.

Items of a JSON List are decoded one at a time and handed over at once, so that a file of 200,000 pods never stands in
memory as a whole.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from json.decoder import JSONDecoder
from pathlib import Path
from typing import Any, NoReturn, Protocol

import yaml

ENDINGS = (".json", ".yaml", ".yml", ".json.gz", ".yaml.gz", ".yml.gz")
_BLANK = re.compile(r"[ \t\n\r]*")


class FileUnreadable(Exception):
    """The file cannot be read to its end; the message says where and why, without the file's name."""


class Sink(Protocol):
    """Takes in what a file holds."""

    def add(self, raw: object, *, kind: str = "", api_version: str = "") -> None:
        """One object, with the kind and version of its list."""
        ...

    def saw(self, kind: str) -> None:
        """An empty list of this kind; ``List`` when it does not say of what."""
        ...

    def remark(self, subject: str, message: str) -> None:
        """Something that is not a Kubernetes object."""
        ...


def holds_data(path: Path) -> bool:
    """Whether the name is that of a file that may hold Kubernetes objects."""
    return not path.name.startswith(".") and path.name.lower().endswith(ENDINGS)


def read_file(path: Path, name: str, sink: Sink) -> None:
    """Hand every object of the file to ``sink``; ``name`` is how remarks call the file. Raises FileUnreadable."""
    try:
        text = _text(path)
        if not text.strip():
            raise FileUnreadable("is empty")
        if ".json" in path.suffixes[-2:]:
            _read_json(text, name, sink)
        else:
            _read_yaml(text, name, sink)
    except FileUnreadable:
        raise
    except json.JSONDecodeError as error:
        raise FileUnreadable(f"line {error.lineno} column {error.colno}: {error.msg}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f"line {mark.line + 1} column {mark.column + 1}: " if mark else ""
        raise FileUnreadable(f"{at}{error.problem or 'is not YAML'}") from error
    except RecursionError as error:
        raise FileUnreadable("is nested too deeply") from error
    except (OSError, EOFError, zlib.error, yaml.YAMLError, ValueError) as error:
        raise FileUnreadable(_said(error)) from error


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start}: is not {error.encoding} text"
    return " ".join(str(error).split()) or type(error).__name__


def _text(path: Path) -> str:
    if not path.is_file():
        raise FileUnreadable("is not a regular file")
    raw = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        raw = gzip.decompress(raw)
    return raw.decode(json.detect_encoding(raw))  # PowerShell writes UTF-16


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = JSONDecoder(parse_constant=_refuse)


def _skip(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def _read_json(text: str, name: str, sink: Sink) -> None:
    """One value after another; the items of a List are taken as they come."""
    position = _skip(text, 0)
    while position < len(text):
        if text[position] == "{":
            position = _read_top(text, position + 1, name, sink)
        else:
            value, position = _DECODER.raw_decode(text, position)
            take(value, name, sink)
        position = _skip(text, position)


def _read_top(text: str, position: int, name: str, sink: Sink) -> int:
    """A top-level object from behind its brace; kubectl writes a List's items before its kind, so those without one wait."""
    fields: dict[str, Any] = {}
    streamed = False
    position = _skip(text, position)
    if text[position : position + 1] == "}":
        position += 1
    else:
        while True:
            key, position = _key(text, position)
            if key == "items" and text[position : position + 1] == "[":
                fields["items"], handed_over, position = _read_items(text, position + 1, sink)
                streamed = streamed or handed_over
            else:
                fields[key], position = _DECODER.raw_decode(text, position)
            position = _skip(text, position)
            if text[position : position + 1] != ",":
                break
            position = _skip(text, position + 1)
        position = _expect("}", text, position)
    if not streamed or fields.get("items"):
        take(fields, name, sink)
    return position


def _key(text: str, position: int) -> tuple[str, int]:
    if text[position : position + 1] != '"':
        raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, position)
    key, position = _DECODER.raw_decode(text, position)
    return key, _skip(text, _expect(":", text, _skip(text, position)))


def _read_items(text: str, position: int, sink: Sink) -> tuple[list[Any], bool, int]:
    """Hands over the items that say their kind; the others, whether any was handed over, and where the list ends."""
    waiting: list[Any] = []
    handed_over = False
    position = _skip(text, position)
    if text[position : position + 1] == "]":
        return waiting, handed_over, position + 1
    while True:
        item, position = _DECODER.raw_decode(text, _skip(text, position))
        if isinstance(item, dict) and isinstance(item.get("kind"), str) and "items" not in item:
            sink.add(item)
            handed_over = True
        else:
            waiting.append(item)
        position = _skip(text, position)
        if text[position : position + 1] != ",":
            return waiting, handed_over, _expect("]", text, position)
        position += 1


def _expect(mark: str, text: str, position: int) -> int:
    if text[position : position + 1] != mark:
        raise json.JSONDecodeError(f"Expecting '{mark}'", text, position)
    return position + 1


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the compiled one where there is one
    """Reads what Kubernetes reads: times stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def _read_yaml(text: str, name: str, sink: Sink) -> None:
    for document in yaml.load_all(text, Loader=_Loader):  # a SafeLoader
        if document is not None:
            take(document, name, sink)


def take(document: object, name: str, sink: Sink) -> None:
    """Hand over one document: an object, or the items of a List, which inherit its kind and version."""
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str) or not document["kind"]:
        sink.remark(f"file {name}", "holds a document that is not a Kubernetes object")
        return
    kind, items = document["kind"], document.get("items")
    if not kind.endswith("List") or not (items is None or isinstance(items, list)):
        sink.add(document)
        return
    item_kind = kind.removesuffix("List")
    if not items:
        sink.saw(item_kind or "List")
    version = document.get("apiVersion") if item_kind and isinstance(document.get("apiVersion"), str) else ""
    for item in items or ():
        if isinstance(item, dict) and isinstance(item.get("kind"), str) and item["kind"].endswith("List") and "items" in item:
            take(item, name, sink)
        else:
            sink.add(item, kind=item_kind, api_version=version or "")
