"""``check-image``: one line per file, through the decoder that uploads go through."""

import json
from pathlib import Path

from generation.cli.check_image import check_files
from tests.pictures import encoded, exif, photo


async def test_every_file_gets_a_line(tmp_path: Path) -> None:
    (tmp_path / "wrong name.png").write_bytes(encoded(photo(), "JPEG", exif=exif(6)))
    (tmp_path / "page.jpg").write_text("<html><body>not found</body></html>")
    (tmp_path / "empty.gif").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    names = ["wrong name.png", "page.jpg", "empty.gif", "folder", "missing.png"]
    lines: list[str] = []
    refused = await check_files([tmp_path / name for name in names], lines.append)
    records = [json.loads(line) for line in lines]
    assert refused == 4
    assert [record["file"] for record in records] == [str(tmp_path / name) for name in names]
    assert all(record.keys() == {"file", "ok", "reason", "width", "height", "seconds"} for record in records)
    assert [record["ok"] for record in records] == [True, False, False, False, False]
    assert (records[0]["width"], records[0]["height"], records[0]["reason"]) == (64, 96, None)
    assert records[1]["reason"] == "This is a web page. Please save the picture itself and send that."
    assert records[2]["reason"] == "This file is empty. Please send the picture again."
    assert "cannot be read (Is a directory)" in records[3]["reason"]
    assert records[4]["reason"] == f"There is no file {tmp_path / 'missing.png'}. Check its name."
    assert records[4]["width"] is None
