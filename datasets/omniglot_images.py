"""Makes omniglot.images.tsv from the two archives, and prints the pixel digests to stderr.

Usage: python3 omniglot_images.py FOLDER_OF_THE_ARCHIVES > omniglot.images.tsv
Needs no package: the PNG decoder below knows just what Omniglot uses (1 bit, grey, not interlaced).
"""

import hashlib
import struct
import sys
import zipfile
import zlib

ROW = 14  # bytes of a packed row of 105 pixels


def packed_pixels(png):
    """The packed 1-bit rows of a 105x105 PNG, filters undone."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data = 8, b""
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        at += 12 + size
        if kind == b"IHDR":
            width, height, depth, color, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert (width, height, depth, color, interlace) == (105, 105, 1, 0, 0)
        if kind == b"IDAT":
            data += body
    raw = zlib.decompress(data)
    out, above = bytearray(), bytes(ROW)
    for y in range(105):
        filter_type, row = raw[y * 15], bytearray(raw[y * 15 + 1 : y * 15 + 15])
        for x in range(ROW):
            a, b, c = (row[x - 1], above[x], above[x - 1]) if x else (0, above[0], 0)
            pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
            paeth = a if pa <= pb and pa <= pc else (b if pb <= pc else c)
            row[x] = (row[x] + (0, a, b, (a + b) // 2, paeth)[filter_type]) & 255
        above = bytes(row)
        out += row
    return bytes(out)


def main(folder):
    all_images = hashlib.sha256()
    for part in ("background", "evaluation"):
        archive = zipfile.ZipFile(f"{folder}/images_{part}.zip")
        one_archive, characters = hashlib.sha256(), {}
        for name in sorted((n for n in archive.namelist() if n.endswith(".png")), key=str.encode):
            pixels = packed_pixels(archive.read(name))
            one_archive.update(pixels)
            all_images.update(pixels)
            path, drawing = name.rsplit("/", 1)
            number, drawer = drawing[:4], int(drawing[5:7])
            found = characters.setdefault((path, number), [])
            found.append(hashlib.sha256(pixels).hexdigest()[:8])
            assert drawer == len(found)
        for (path, number), hashes in characters.items():
            assert len(hashes) == 20
            print(path, number, "".join(hashes), sep="\t")
        print(part, one_archive.hexdigest(), file=sys.stderr)
    print("all", all_images.hexdigest(), file=sys.stderr)


main(sys.argv[1])
