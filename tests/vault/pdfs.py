"""PDF files made by hand, so that a test knows what stands on which page."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from pypdf import PdfWriter


def pdf(pages: Sequence[str], *, operations: Sequence[bytes] = (), font: str = "/Type1 /BaseFont /Helvetica") -> bytes:
    """A PDF with a text on each page, line by line; ``operations`` are the pages' content streams as they are."""
    streams = [_drawn(text) for text in pages] + list(operations)
    first = 4
    kids = " ".join(f"{first + 2 * number} 0 R" for number in range(len(streams)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(streams)} >>".encode(),
        f"<< /Type /Font /Subtype {font} /Encoding /WinAnsiEncoding >>".encode(),
    ]
    for number, stream in enumerate(streams):
        page = (
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>"
            f" /Contents {first + 2 * number + 1} 0 R >>"
        )
        objects += [page.encode(), b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream)]
    return written(objects)


def written(objects: Sequence[bytes]) -> bytes:
    """Objects, the first of them the catalogue, with the table of where they stand."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return bytes(out) + trailer % (len(objects) + 1, table, len(objects) + 1, len(out))


def encrypted(content: bytes, password: str, owner: str = "owner", algorithm: str = "AES-256") -> bytes:
    """The same file, encrypted."""
    writer = PdfWriter(clone_from=BytesIO(content))
    writer.encrypt(password, owner, algorithm=algorithm)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def _drawn(text: str) -> bytes:
    lines = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in text.split("\n")]
    return ("BT /F1 11 Tf 72 720 Td 14 TL\n" + "\n".join(f"({line}) Tj T*" for line in lines) + "\nET").encode("cp1252")
