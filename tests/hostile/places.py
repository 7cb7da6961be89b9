"""Task files, folders, links and things that are no files."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from tests.hostile.cases import N_ROWS, Loads, Refused, case, deep, lines, plain

# Task files.
_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
_DATA = "dataset_kwargs: {data_files: data.jsonl}\n"
plain("YAML bomb", "a.yaml", f"{_LAUGHS}dataset_path: *i\n".encode(), Refused("no dataset_path"))
plain(
    "YAML bomb as data files",
    "a.yaml",
    f"{_LAUGHS}dataset_path: json\ndataset_kwargs: {{data_files: *i}}\n".encode(),
    Refused("several data files"),
)
plain(
    "YAML that makes objects",
    "a.yaml",
    b"dataset_path: !!python/object/apply:os.system ['touch hacked']\n",
    Refused("no dataset_path"),
)
plain("YAML nested deep", "a.yaml", b"a: " + b"[" * 5000 + b"]" * 5000, Refused("YAML"))
plain("broken YAML", "a.yaml", b"a: [1, 2\nb: }", Refused("not YAML"))
plain("task that includes itself", "a.yaml", b"include: a.yaml\n", Refused("include each other"))
plain(
    "task at an address",
    "a.yaml",
    b"dataset_path: json\ndataset_kwargs: {data_files: 'http://169.254.169.254/x.jsonl'}\n",
    Refused("at a URL"),
)
plain(
    "task whose data file has NUL in its name",
    "a.yaml",
    b'dataset_path: json\ndataset_kwargs: {data_files: "a\\0b.jsonl"}\n',
    Refused("not a valid file name"),
)
plain(
    "task that includes a file with NUL in its name",
    "a.yaml",
    b'include: "a\\0b.yaml"\n',
    Refused("YAML"),
)
plain(
    "task whose data file has an endless name",
    "a.yaml",
    b"dataset_path: json\ndataset_kwargs: {data_files: " + b"x" * 5000 + b".jsonl}\n",
    Refused("too long"),
)


@case("task that runs code", Loads(N_ROWS))
def _task_code(folder: Path) -> Path:
    (folder / "data.jsonl").write_bytes(lines())
    (folder / "a.yaml").write_text(
        f"dataset_path: json\n{_DATA}process_docs: !function os.system\n"
        "doc_to_text: \"{{ ''.__class__.__mro__ }} {{question}}\"\n"
    )
    return folder / "a.yaml"


# Folders, links and things that are no files.
@case("folder", Refused("no data file"))
def _empty_folder(folder: Path) -> Path:
    (folder / "a.jsonl").mkdir()
    return folder / "a.jsonl"


@case("folder of pickles", Refused("no data file"))
def _pickles(folder: Path) -> Path:
    (folder / "set").mkdir()
    (folder / "set" / "data.pkl").write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    return folder / "set"


@case("link to itself", Refused("a.jsonl"))
def _self_link(folder: Path) -> Path:
    (folder / "a.jsonl").symlink_to(folder / "a.jsonl")
    return folder / "a.jsonl"


@case("link to nothing", Refused("no such file"))
def _dangling(folder: Path) -> Path:
    (folder / "a.jsonl").symlink_to(folder / "gone.jsonl")
    return folder / "a.jsonl"


@case("folder that holds itself", Loads(N_ROWS, "skipped-file", "b.jsonl: a link that leads no"))
def _loop(folder: Path) -> Path:
    (folder / "set").mkdir()
    (folder / "set" / "a.jsonl").write_bytes(lines())
    (folder / "set" / "again").symlink_to(folder / "set")
    (folder / "set" / "b.jsonl").symlink_to(folder / "set" / "b.jsonl")
    return folder / "set"


@case("folder with a pipe", Loads(N_ROWS, "skipped-file", "b.jsonl: not a regular file"))
def _folder_with_pipe(folder: Path) -> Path:
    (folder / "set").mkdir()
    (folder / "set" / "a.jsonl").write_bytes(lines())
    os.mkfifo(folder / "set" / "b.jsonl")
    return folder / "set"


@case("folder with a link to nothing", Loads(N_ROWS, "skipped-file", "b.jsonl: a link that"))
def _folder_with_dangling(folder: Path) -> Path:
    (folder / "set").mkdir()
    (folder / "set" / "a.jsonl").write_bytes(lines())
    (folder / "set" / "b.jsonl").symlink_to("gone.jsonl")
    return folder / "set"


@case("missing file", Refused("no such file"))
def _missing(folder: Path) -> Path:
    return folder / "gone.jsonl"


@case("endless name", Refused("too long"))
def _long_name(folder: Path) -> Path:
    return folder / ("x" * 4000 + ".jsonl")


@case("file as a folder", Refused("cannot be read"))
def _not_a_folder(folder: Path) -> Path:
    (folder / "a.jsonl").write_bytes(lines())
    return folder / "a.jsonl" / "b.jsonl"


@case("named pipe", Refused("not a regular file"))
def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "a.jsonl")
    return folder / "a.jsonl"


@case("device without end", Refused("not a regular file"))
def _device(folder: Path) -> Path:
    (folder / "a.jsonl").symlink_to("/dev/zero")
    return folder / "a.jsonl"


@case("socket", Refused("not a regular file"))
def _socket(folder: Path) -> Path:
    here = Path.cwd()
    os.chdir(folder)  # the name of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("a.jsonl")
    finally:
        os.chdir(here)
    return folder / "a.jsonl"


def _dataset(folder: Path, name: str, value: object) -> Path:
    (folder / "set").mkdir()
    (folder / "set" / name).write_text(json.dumps(value))
    return folder / "set"


@case("saved dataset that leads out of its folder", Refused("no Arrow file"))
def _escaping_dataset(folder: Path) -> Path:
    (folder / "secret.arrow").write_bytes(b"secret")
    return _dataset(folder, "state.json", {"_data_files": [{"filename": "../secret.arrow"}]})


@case("saved dataset with NUL in a name", Refused("not a valid file name"))
def _nul_dataset(folder: Path) -> Path:
    return _dataset(folder, "state.json", {"_data_files": [{"filename": "a\0b.arrow"}]})


@case("saved dataset with NUL in a split", Refused("none of its splits"))
def _nul_split(folder: Path) -> Path:
    return _dataset(folder, "dataset_dict.json", {"splits": ["a\0b", "../x", 7]})


@case("saved dataset that says nothing", Refused("no Arrow file"))
def _odd_state(folder: Path) -> Path:
    return _dataset(folder, "state.json", {"_data_files": {"filename": 3}})


@case("saved dataset with a deep description", Refused("not readable"))
def _deep_state(folder: Path) -> Path:
    path = _dataset(folder, "state.json", {})
    (path / "state.json").write_bytes(deep(200_000))
    return path
