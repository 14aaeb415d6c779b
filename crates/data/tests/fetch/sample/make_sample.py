"""Makes sample.parquet and sample.tsv: six Omniglot images as the data set repositories keep them.

Usage: python3 make_sample.py images_background.zip   (made with Python 3.11 and the versions printed at the end)
The PNG files are packed anew as 8-bit color, as TensorFlow Datasets and `datasets` do. sample.tsv holds the pixel
digest in its first line and the image table of the six below it; both come from the 1-bit originals.
"""

import hashlib
import io
import sys
import zipfile

import numpy
import PIL
import pyarrow
import pyarrow.parquet
from PIL import Image

archive = zipfile.ZipFile(sys.argv[1])
rows, digest, table = [], hashlib.sha256(), {}
for name in sorted(archive.namelist()):
    parts = name.split("/")
    if not name.endswith(".png") or parts[1] != "Greek" or parts[2] not in ("character01", "character02"):
        continue
    number, drawer = parts[3][:4], int(parts[3][5:7])
    if drawer > 3:
        continue
    image = Image.open(archive.open(name))
    packed = numpy.packbits(numpy.asarray(image, dtype=bool), axis=1).tobytes()
    digest.update(packed)
    table.setdefault((name.rsplit("/", 1)[0], number), []).append(hashlib.sha256(packed).hexdigest()[:8])
    out = io.BytesIO()
    image.convert("RGB").save(out, "PNG")
    rows.append(
        {
            "image": {"bytes": out.getvalue(), "path": None},
            "alphabet": 14,
            "alphabet_char_id": int(parts[2][-2:]) - 1,
            "label": 500 + int(parts[2][-2:]),
        }
    )
schema = pyarrow.schema(
    [
        ("image", pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])),
        ("alphabet", pyarrow.int64()),
        ("alphabet_char_id", pyarrow.int64()),
        ("label", pyarrow.int64()),
    ]
)
rows.reverse()
pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), "sample.parquet", compression="snappy")
with open("sample.tsv", "w") as out:
    print(digest.hexdigest(), file=out)
    for (path, number), hashes in table.items():
        print(path, number, "".join(hashes), sep="\t", file=out)
print("pyarrow", pyarrow.__version__, "Pillow", PIL.__version__, "numpy", numpy.__version__)
