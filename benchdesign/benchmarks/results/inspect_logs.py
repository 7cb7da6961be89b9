"""Inspect logs: `.eval` archives (with Zstandard or deflate members) and `.json` files."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from benchdesign.benchmarks.formats.text_content import open_content, read_head
from benchdesign.benchmarks.results.log_format import ChosenFiles
from benchdesign.benchmarks.results.rows import ResultRow, ResultSet
from benchdesign.errors import FormatError

__all__ = ["InspectLogs"]

_ZSTANDARD = 93
"""Zip compression method that `zipfile` supports from Python 3.14 on."""

_LOCAL_HEADER = struct.Struct("<4s22x2H")
"""A member's local header: signature, length of its name, length of its extra field."""

_MAX_MEMBER = 256 << 20
"""Largest sample read, in bytes; samples of long agent runs are well below."""


class InspectLogs:
    """Logs of Inspect."""

    def claims(self, path: Path) -> bool:
        """Whether a file is an Inspect log, by its first bytes."""
        return _is_log(path)

    def choose(self, paths: Sequence[Path]) -> ChosenFiles:
        """Choose the logs."""
        named = [path for path in paths if path.suffix.lower() in {".eval", ".json"}]
        return ChosenFiles([path for path in named if self.claims(path)])

    def read(self, path: Path, *, model: str | None) -> ResultSet:
        """Read one log; failed samples have no score, and an incomplete run gets a note."""
        return _read_log(path, model=model)


def _is_log(path: Path) -> bool:
    head = read_head(path, 4096)
    if head.startswith(b"PK\x03\x04"):
        return path.suffix.lower() == ".eval"
    return (
        path.suffix.lower() == ".json"
        and head.lstrip()[:1] == b"{"
        and b'"version"' in head
        and b'"status"' in head
        and b'"eval"' in head
    )


def _read_log(path: Path, *, model: str | None) -> ResultSet:
    log, samples = _open_archive(path) if _is_archive(path) else _open_json(path)
    spec = _mapping(log.get("eval"))
    name = model or str(spec.get("model") or path.stem)
    dataset = _mapping(spec.get("dataset"))
    is_numbered = _is_numbered(dataset)
    rows = []
    for position, sample in samples:
        if "id" not in sample:
            raise FormatError(
                f"{path}: {position}: the sample has no id. Check that Inspect wrote it."
            )
        rows.append(
            _read_sample(
                sample,
                f"{path}: {position}",
                name,
                is_numbered=is_numbered,
                in_order=dataset.get("shuffled") is False,
            )
        )
    status = log.get("status")
    notes: tuple[str, ...] = ()
    if status != "success":
        notes = (
            f"{path}: the run did not finish ({status}); "
            f"{len(rows)} of its {dataset.get('samples', 'unknown')} samples are in the log",
        )
    return ResultSet(tuple(rows), notes=notes)


def _read_sample(
    sample: Mapping[str, Any], place: str, model: str, *, is_numbered: bool, in_order: bool
) -> ResultRow:
    item_id, choices = sample["id"], sample.get("choices")
    row = None
    if is_numbered and in_order and isinstance(item_id, int):
        row = item_id - 1
    return ResultRow(
        model=model,
        place=f"{place} (id {item_id}, epoch {sample.get('epoch', 1)})",
        scores=dict(_scores_of(sample.get("scores"))),
        ids=() if is_numbered else (str(item_id),),
        row=row,
        texts=tuple(_texts_of(sample.get("input"))),
        choices=tuple(map(str, choices)) if isinstance(choices, list) else (),
        repeat=str(sample.get("epoch", 1)),
        answer=_answer_of(sample.get("scores"), choices),
        failure=_failure_of(sample.get("error")),
    )


def _is_numbered(dataset: Mapping[str, Any]) -> bool:
    """Whether Inspect assigned the ids: numbers from 1, in the order after shuffling."""
    ids = dataset.get("sample_ids")
    if not isinstance(ids, list) or not all(isinstance(sample_id, int) for sample_id in ids):
        return False
    size = dataset.get("samples")
    highest = size if isinstance(size, int) else len(ids)
    return all(1 <= sample_id <= highest for sample_id in ids)


def _scores_of(scores: Any) -> Iterator[tuple[str, Any]]:
    """Yield scores with their names; a score of several parts yields each part."""
    for scorer, score in _mapping(scores).items():
        value = score.get("value") if isinstance(score, Mapping) else score
        if isinstance(value, Mapping):
            for part, part_value in value.items():
                yield f"{scorer}.{part}", part_value
        else:
            yield str(scorer), value


def _answer_of(scores: Any, choices: Any) -> str:
    """Return the answer the first scorer extracted; a letter becomes the text of its choice."""
    for score in _mapping(scores).values():
        answer = score.get("answer") if isinstance(score, Mapping) else None
        if not isinstance(answer, str):
            continue
        letter = answer.strip()
        if isinstance(choices, list) and len(letter) == 1 and "A" <= letter <= "Z":
            index = ord(letter) - ord("A")
            return str(choices[index]) if index < len(choices) else letter
        return letter
    return ""


def _texts_of(sample_input: Any) -> Iterator[str]:
    """Yield candidates for the question: the input, or the user messages, last first."""
    if isinstance(sample_input, str):
        yield sample_input
        return
    messages = sample_input if isinstance(sample_input, list) else ()
    texts = [
        _message_text(message.get("content"))
        for message in messages
        if isinstance(message, Mapping) and message.get("role", "user") == "user"
    ]
    yield from (text for text in reversed(texts) if text)
    if len(texts) > 1:
        yield "\n".join(texts)


def _message_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _failure_of(error: Any) -> str:
    message = error.get("message") if isinstance(error, Mapping) else error
    return message.splitlines()[0][:200] if isinstance(message, str) and message.strip() else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_archive(path: Path) -> bool:
    return read_head(path, 4).startswith(b"PK\x03\x04")


def _open_json(path: Path) -> tuple[Mapping[str, Any], Iterator[tuple[str, Mapping[str, Any]]]]:
    log = _parse(open_content(path).text(), str(path))
    samples = log.get("samples")
    if not isinstance(samples, list):
        raise FormatError(
            f"{path}: the log has no samples. Run the evaluation again with log_samples on."
        )
    return log, (
        (f"sample {number + 1}", _mapping(sample)) for number, sample in enumerate(samples)
    )


def _open_archive(path: Path) -> tuple[Mapping[str, Any], Iterator[tuple[str, Mapping[str, Any]]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise FormatError(
            f"{path}: damaged archive ({error}). Copy it again, or use the .json format."
        ) from None
    names = [name for name in members if name.startswith("samples/") and name.endswith(".json")]
    heads = ("header.json", "_journal/start.json")
    head = next((name for name in heads if name in members), None)
    if head is None or not names:
        raise FormatError(f"{path}: the log has no finished samples. Run the evaluation again.")
    # A run that was killed wrote no header; its settings are in the journal.
    log = _parse(_read_member(path, members[head]), f"{path}: {head}")
    if head != "header.json":
        log = {**log, "status": "started"}
    return log, _read_samples(path, members, names)


def _read_samples(
    path: Path, members: Mapping[str, zipfile.ZipInfo], names: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in names:
        yield name, _parse(_read_member(path, members[name]), f"{path}: {name}")


def _read_member(path: Path, member: zipfile.ZipInfo) -> str:
    """Read one member that `zipfile` has located; zipfile may not know its compression."""
    place = f"{path}: {member.filename}"
    if member.file_size > _MAX_MEMBER or member.flag_bits & 0x1:
        raise FormatError(
            f"{place}: larger than 256 MB or encrypted. Convert the log to .json with "
            "`inspect log convert`."
        )
    with path.open("rb") as stream:
        stream.seek(member.header_offset)
        header = stream.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
            raise FormatError(f"{place}: damaged. Copy the file again.")
        _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        stream.seek(name_length + extra_length, 1)
        raw = _decompress(stream, member, place)
    if len(raw) != member.file_size or zlib.crc32(raw) != member.CRC:
        raise FormatError(f"{place}: damaged. Copy the file again.")
    return raw.decode("utf-8", "replace")


def _decompress(stream: IO[bytes], member: zipfile.ZipInfo, place: str) -> bytes:
    import zstandard

    packed = stream.read(member.compress_size)
    # Read one byte more than declared, to detect a wrong size.
    max_length = member.file_size + 1
    try:
        if member.compress_type == zipfile.ZIP_STORED:
            return packed
        if member.compress_type == zipfile.ZIP_DEFLATED:
            return zlib.decompressobj(-15).decompress(packed, max_length)
        if member.compress_type == _ZSTANDARD:
            with zstandard.ZstdDecompressor().stream_reader(
                packed, read_across_frames=True
            ) as reader:
                unpacked: bytes = reader.read(max_length)
                return unpacked
    except (zlib.error, zstandard.ZstdError) as error:
        raise FormatError(f"{place}: damaged ({error}). Copy the file again.") from None
    raise FormatError(
        f"{place}: unsupported compression (method {member.compress_type}). "
        "Convert the log to .json with `inspect log convert`."
    )


def _parse(text: str, place: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except RecursionError:
        raise FormatError(f"{place}: nested too deeply. Check the file.") from None
    except ValueError as error:
        reason = str(error).split(";")[0]
        raise FormatError(f"{place}: not JSON ({reason}). Check the file.") from None
    if not isinstance(value, Mapping):
        raise FormatError(f"{place}: not a JSON object. Check that Inspect wrote it.")
    return value
