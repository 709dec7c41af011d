"""What a folder zip and an upload cost, against what one would write without thinking.

    python tests/bench/files.py [--size small|full] [--json]

Zip: our computed layout against Starlette's FileResponse of the same bytes. Upload: form parsing with SHA-256, CRC-32
and a durable spool against the same path without hashing, and against Starlette's own form with MD5. Everything runs in
this process, sending to nowhere, so that the figures are processor seconds per gigabyte of this code and nothing else.
Both sides take turns (A B A B); medians are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import statistics
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ochaq_files.api.receiving import FormReceiver, receive_form
from ochaq_files.archives import Entry, Layout
from ochaq_files.reading import stream
from ochaq_files.storage import spool
from ochaq_files.storage.objects import LocalObjects
from ochaq_files.storage.scratch import Scratch
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser
from starlette.responses import FileResponse

MIB = 1024 * 1024
SIZES = {"small": (64, 3), "full": (1024, 5)}  # MiB, turns
BOUNDARY = b"-" * 40
CHUNK = 64 * 1024  # as uvicorn hands a body on

Run = Callable[[], Awaitable[None]]


async def measured(run: Run, gigabytes: float) -> float:
    """Processor seconds per gigabyte of one run."""
    began = time.process_time()
    await run()
    return (time.process_time() - began) / gigabytes


async def compared(sides: dict[str, Run], turns: int, gigabytes: float) -> dict[str, float]:
    """The median of each side, run in turns."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, run in sides.items():
            found[name].append(await measured(run, gigabytes))
    return {name: round(statistics.median(values), 3) for name, values in found.items()}


async def zip_sides(directory: Path, mebibytes: int) -> dict[str, Run]:
    objects = LocalObjects(directory / "objects")
    content = os.urandom(8 * MIB)
    entries = [
        Entry(f"{index}.bin", len(content), zlib.crc32(content), 0, f"b/aa/{index}/1")
        for index in range(mebibytes // 8)
    ]
    for entry in entries:
        await objects.put(entry.key, content, len(content))
    layout = Layout(entries)
    whole = directory / "whole.zip"
    with whole.open("wb") as sink:
        async for chunk in stream(objects, layout.pieces(0, layout.size)):
            sink.write(chunk)

    async def ours() -> None:
        sent = 0
        async for chunk in stream(objects, layout.pieces(0, layout.size)):
            sent += len(chunk)
        assert sent == layout.size

    async def file_response() -> None:
        async def send(_message: Any) -> None:
            pass

        async def receive() -> Any:
            await asyncio.Event().wait()  # this client never leaves

        await FileResponse(whole)({"type": "http", "method": "GET", "headers": []}, receive, send)

    return {"ochaq": ours, "FileResponse": file_response}


def upload_sides(directory: Path, mebibytes: int) -> dict[str, Run]:
    scratch = Scratch(directory / "spool")
    chunk = os.urandom(CHUNK)
    head = b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'

    async def body() -> AsyncIterator[bytes]:
        yield head
        for _ in range(mebibytes * MIB // CHUNK):
            yield chunk
        yield b"\r\n--" + BOUNDARY + b"--\r\n"

    async def ours() -> None:
        with spool.Spooled(scratch) as spooled:
            await receive_form(body(), FormReceiver(BOUNDARY, spooled, 1 << 50))
            await asyncio.to_thread(spooled.finish)

    async def unhashed() -> None:
        with patch.object(spool.zlib, "crc32", lambda *_: 0), patch.object(spool.hashlib, "sha256", _NoHash):
            await ours()

    async def naive() -> None:
        headers = Headers({"content-type": f"multipart/form-data; boundary={BOUNDARY.decode()}"})
        form = await MultiPartParser(headers, body()).parse()
        digest = hashlib.md5(usedforsecurity=False)
        file = form["file"]
        assert isinstance(file, UploadFile)
        with (directory / "kept").open("wb") as sink:
            while found := await file.read(CHUNK):
                digest.update(found)
                sink.write(found)
            sink.flush()
            os.fsync(sink.fileno())
        await form.close()

    return {"ochaq": ours, "without hashing": unhashed, "UploadFile and MD5": naive}


class _NoHash:
    def update(self, _data: object) -> None: ...

    def hexdigest(self) -> str:
        return "0" * 64


async def run(size: str) -> dict[str, dict[str, float]]:
    mebibytes, turns = SIZES[size]
    gigabytes = mebibytes * MIB / 1e9
    directory = Path(tempfile.mkdtemp(prefix="ochaq-bench-files-"))
    try:
        zips = await compared(await zip_sides(directory, mebibytes), turns, gigabytes)
        uploads = await compared(upload_sides(directory, mebibytes), turns, gigabytes)
    finally:
        shutil.rmtree(directory)
    return {"zip": zips, "upload": uploads}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(run(options.size))
    if options.json:
        print(json.dumps(found))
        return
    for name, sides in found.items():
        for side, seconds in sides.items():
            print(f"{name:8} {side:20} {seconds:6.3f} CPU s/GB   {seconds / sides['ochaq']:5.2f} x ours")


if __name__ == "__main__":
    main()
