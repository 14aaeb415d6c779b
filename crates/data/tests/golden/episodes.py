"""The first episodes of the sampler's test, recomputed from the published definition of ChaCha8 alone.

Python 3 standard library only. Prints SHA-256 over episodes 0..99 of 5-way 3-shot 8-query, rotations as classes,
24 classes of 20 images, every seed 0: first as trained, then as evaluated.
"""

import hashlib
import struct

TASK, SUPPORT, QUERY, LABEL, EVAL = 2, 3, 4, 5, 7
M = 0xFFFFFFFF


def block(key, counter, nonce):
    def rotate(x, n):
        return ((x << n) | (x >> (32 - n))) & M

    def quarter(s, a, b, c, d):
        s[a] = (s[a] + s[b]) & M
        s[d] = rotate(s[d] ^ s[a], 16)
        s[c] = (s[c] + s[d]) & M
        s[b] = rotate(s[b] ^ s[c], 12)
        s[a] = (s[a] + s[b]) & M
        s[d] = rotate(s[d] ^ s[a], 8)
        s[c] = (s[c] + s[d]) & M
        s[b] = rotate(s[b] ^ s[c], 7)

    start = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
    start += [counter & M, counter >> 32, nonce & M, nonce >> 32]
    s = start[:]
    for _ in range(4):
        for column in [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]:
            quarter(s, *column)
        for diagonal in [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]:
            quarter(s, *diagonal)
    return [(a + b) & M for a, b in zip(s, start)]


def words(seed, stream, index, nonce=0):
    key = struct.pack("<3Q", seed, stream, index) + b"metastab"
    counter = 0
    while True:
        yield from block(key, counter, nonce)
        counter += 1


def below(rng, n):
    while True:
        product = next(rng) * n
        if (product & M) >= (2**32 - n) % n:
            return product >> 32


def permutation(rng, n):
    items = list(range(n))
    for i in range(n):
        j = i + below(rng, n - i)
        items[i], items[j] = items[j], items[i]
        yield items[i]


def episode(seeds, index):
    def take(iterator, n):
        return [value for value, _ in zip(iterator, range(n))]

    variants = take(permutation(words(seeds[TASK], TASK, index), 24 * 4), 5)
    out = struct.pack("<3I", 5, 3, 8)
    supports, queries = b"", b""
    for slot in permutation(words(seeds[LABEL], LABEL, index), 5):
        class_idx, turns = divmod(variants[slot], 4)
        out += struct.pack("<2I", class_idx, turns)
        query = take(permutation(words(seeds[QUERY], QUERY, index, slot), 20), 8)
        order = permutation(words(seeds[SUPPORT], SUPPORT, index, slot), 20)
        support = [image for image in order if image not in query][:3]
        supports += struct.pack("<3I", *[20 * class_idx + image for image in support])
        queries += struct.pack("<8I", *[20 * class_idx + image for image in query])
    return out + supports + queries


def digest(seeds):
    return hashlib.sha256(b"".join(episode(seeds, index) for index in range(100))).hexdigest()


def derived(stream):
    rng = words(0, EVAL, stream)
    low = next(rng)
    return low | next(rng) << 32


print("train", digest({stream: 0 for stream in range(8)}))
print("evaluation", digest({stream: derived(stream) for stream in range(8)}))
