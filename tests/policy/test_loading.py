"""One policy from files and directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from descheduler.errors import PolicyError
from descheduler.policy import Policy, load_policy, policy_from_text

POLICY = "apiVersion: fleet.descheduler.io/v1alpha1\nkind: DeschedulePolicy\nmetadata: {name: %s}\n"


def mistakes_in(*paths: Path) -> list[str]:
    with pytest.raises(PolicyError) as told:
        load_policy(paths)
    return list(told.value.mistakes)


def test_without_paths_the_shipped_default_holds() -> None:
    assert load_policy([]) == Policy()


def test_a_directory_is_read_file_by_file_but_not_below(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text(POLICY % "mine")
    (tmp_path / "notes.txt").write_text("not a policy")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "old.yaml").write_text(POLICY % "old")

    assert load_policy([tmp_path]).metadata.name == "mine"


def test_what_a_mounted_configmap_keeps_under_dots_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "policy.yaml").write_text(POLICY % "mounted")
    (tmp_path / "policy.yaml").symlink_to(tmp_path / "..data" / "policy.yaml")
    (tmp_path / ".policy.yaml").write_text("an editor's leftover")

    assert load_policy([tmp_path]).metadata.name == "mounted"


def test_a_file_named_twice_is_one_policy(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY % "once")

    assert load_policy([tmp_path, file]).metadata.name == "once"


def test_two_policies_are_refused_with_the_place_of_each(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(f"{POLICY % 'a'}---\n{POLICY % 'b'}")

    assert mistakes_in(tmp_path) == [f"{file}:1, {file}:5: 2 policies (DeschedulePolicy), must be exactly one; name its file"]


def test_mistakes_of_all_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{POLICY % 'a'}spec: {{mode: Go}}\n")
    (tmp_path / "b.yaml").write_text("")

    assert mistakes_in(tmp_path, tmp_path / "c.yaml") == [
        f'{tmp_path}/a.yaml:4: spec.mode: must be Plan or Apply, not "Go"',
        f"{tmp_path}/b.yaml:1: no policy here: the file is empty, must hold a DeschedulePolicy",
        f"{tmp_path}/c.yaml: no such file or directory",
    ]


def test_a_directory_without_yaml_says_so(tmp_path: Path) -> None:
    assert mistakes_in(tmp_path) == [f"{tmp_path}: no policy here: the directory has no *.yaml or *.yml file"]


def test_a_path_longer_than_any_file_name_says_so() -> None:
    assert mistakes_in(Path("x" * 5000)) == [f"{'x' * 5000}: cannot be read: File name too long"]


def test_text_that_is_not_utf_8_names_line_and_byte(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"# one\n# caf\xe9\n")

    assert mistakes_in(file) == [f"{file}:2: must be UTF-8 text, but has the byte 0xe9"]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "windows.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + (POLICY % "windows").replace("\n", "\r\n").encode())

    assert load_policy([file]).metadata.name == "windows"


def test_a_file_far_larger_than_any_policy_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_bytes(b"#" * 300_000)

    assert mistakes_in(file) == [f"{file}: is larger than 256 KiB, which no policy is"]


def test_a_text_can_stand_for_a_file() -> None:
    assert policy_from_text(POLICY % "text").metadata.name == "text"
