"""Writes the small files of images and labels that arrays/tests.rs reads. Needs numpy; numpy 2.4.6 wrote those that are kept.

Image i has the value 10 * i at every place, but for its first byte, 200 + i; colour images have channel c raised by 20 * c.
"""
import io
import pickle
import struct
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def grey(n, start=0):
    images = np.zeros((n, 4, 4), np.uint8)
    for i in range(n):
        images[i] = 10 * (start + i)
        images[i].flat[0] = 200 + start + i
    return images


def colour(n, start=0):
    return np.stack([grey(n, start) + 20 * c for c in range(3)], axis=-1)


def save(name, value, protocol):
    with open(HERE / name, "wb") as file:
        pickle.dump(value, file, protocol=protocol)


def png(image):
    """A colour PNG without any library."""
    height, width, _ = image.shape
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# MedMNIST's layout: the same two classes in every part.
parts = {}
for start, part in enumerate(["train", "val", "test"]):
    parts[f"{part}_images"] = colour(4, 4 * start)
    parts[f"{part}_labels"] = np.array([[0], [1], [0], [1]], np.uint8)
np.savez_compressed(HERE / "medmnist.npz", **parts)
# Keras' layout, with classes that no other part has.
np.savez(HERE / "keras.npz", x_train=grey(4), y_train=np.array([0, 0, 7, 7]), x_test=grey(2, 4), y_test=np.array([-3, -3], np.int16))
# torch's order of channels, as fractions would be refused.
np.savez(HERE / "planar.npz", images=colour(2).transpose(0, 3, 1, 2), labels=np.array([1, 2], np.int32))
np.savez(HERE / "fractions.npz", images=grey(2) / 255, labels=np.array([1, 2]))

# mini-ImageNet's cache, under every protocol that Python has.
for protocol in range(6):
    cache = {"image_data": colour(4), "class_dict": OrderedDict([("n01", [0, 2]), ("n02", [3, 1])])}
    save(f"cache-protocol-{protocol}.pkl", cache, protocol)
# CIFAR-FS: keys as bytes, labels as a list; tiered: a list of encoded pictures with labels as an array.
save("cifar.pkl", {b"data": colour(3), b"labels": [5, 6, 5]}, 2)
save("encoded.pkl", ([np.frombuffer(png(i), np.uint8) for i in colour(2)], np.array([3, 4])), 4)


class Bad:
    def __reduce__(self):
        return (print, ("this must not be run",))


save("evil.pkl", {"image_data": colour(1), "labels": Bad()}, 2)
