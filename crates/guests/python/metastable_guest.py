"""The other side of metastable's guest protocol, in one file: numpy and safetensors are all it needs.

Copy this file beside your learner (``metastable guest --python > metastable_guest.py``), write a class, and serve it::

    import numpy as np
    from metastable_guest import Learner, serve

    class NearestMean(Learner):
        def predict(self, support, labels, query, way):
            rows = support.reshape(len(support), -1)
            means = np.stack([rows[labels == k].mean(axis=0) for k in range(way)])
            queries = query.reshape(len(query), 1, -1)
            return -((queries - means) ** 2).sum(axis=2)

    serve(NearestMean())

Images are float32 in [0, 1] of shape (n, channels, height, width); labels are int64 from 0 to way - 1; scores are logits of
shape (n_query, way). Supports and queries come in an order that says nothing about their labels.

Whatever is printed goes to stderr: stdout belongs to the protocol (this module sees to it before your code runs).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Mapping, Sequence

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import load_file, save as save_tensors

PROTOCOL = 1
"""Version of the protocol; metastable refuses another."""

MOST_HEADER = 1 << 20
"""Most bytes of a header."""

Array = np.ndarray


@dataclass(frozen=True)
class Run:
    """What metastable says of the run before it starts."""

    label: str
    """Name of the run."""
    training: str
    """``given``, ``own`` or ``none``."""
    settings: Mapping[str, Any]
    """The ``settings`` of the study for this learner."""
    seeds: Mapping[str, int]
    """The seed of each stream of chance; ``init`` is yours for the weights, ``task`` for a sampler of your own."""
    data: Mapping[str, Any]
    """``name``, ``digest``, ``height``, ``width``, ``channels``, ``train_classes``."""
    episode: Mapping[str, int]
    """``way``, ``shot`` and ``query`` of training episodes."""
    test: Mapping[str, int]
    """The same of test episodes."""
    budget: Mapping[str, Any]
    """``outer_steps``, ``meta_batch`` and ``outer_lr`` of the study."""
    threads: int
    """Threads that this process should use."""
    scratch: Path
    """A folder that is removed at the end."""


@dataclass(frozen=True)
class Task:
    """One training episode: images (n, channels, height, width) and their labels."""

    support: Array
    labels: Array
    query: Array
    query_labels: Array


class Learner:
    """What a guest is: overwrite ``predict``, and whatever else it can do."""

    name: str = ""
    """What it calls itself; the name of the class if empty."""
    version: str = ""
    """Its own version, for the record."""
    fixed_way: int | None = None
    """The only number of classes that it can tell apart, if it has a head. May be set in ``start``."""
    max_batch: int = 1
    """Most tasks of one request, for ``predict_many``."""
    label_bound: bool = False
    """Whether the number of a class matters, as it does to a head."""
    order_bound: bool = False
    """Whether the order of the supports matters, as it does to a learner that reads a sequence."""

    def start(self, run: Run) -> None:
        """Called once, before anything else: seeds, settings, sizes."""

    def train(self, tasks: Sequence[Task]) -> Mapping[str, float]:
        """One outer step on a meta-batch (training = given); returns ``loss`` and ``accuracy`` on the queries."""
        raise NotImplementedError

    def fit(self, train: tuple[Array, Array], validation: tuple[Array, Array], report: "Report") -> Mapping[str, float]:
        """A training of its own (training = own) on images and class numbers; returns ``step``, ``loss``, ``accuracy``."""
        raise NotImplementedError

    def predict(self, support: Array, labels: Array, query: Array, way: int) -> Array:
        """Logits (n_query, way) of the queries of one task."""
        raise NotImplementedError

    def predict_many(self, tasks: Sequence[tuple[Array, Array, Array, int]]) -> Sequence[Array]:
        """The same for up to ``max_batch`` tasks at once."""
        return [self.predict(*task) for task in tasks]

    def features(self, images: Array) -> Array:
        """Embeddings (n, width) of images."""
        raise NotImplementedError

    def save(self, path: Path) -> None:
        """Writes all that was learnt to one file."""
        raise NotImplementedError

    def load(self, path: Path) -> None:
        """Reads what ``save`` wrote, perhaps in another process."""
        raise NotImplementedError


class Report:
    """Tells metastable how a training of one's own goes on; call it every few steps."""

    def __init__(self, stream: "_Stream", identity: int) -> None:
        self._stream, self._id = stream, identity

    def __call__(self, step: int, loss: float, accuracy: float) -> None:
        self._stream.write({"type": "progress", "id": self._id, "step": int(step), "loss": _finite(loss),
                            "accuracy": _finite(accuracy)})


class _Stream:
    """Frames: u32 length of the header, u64 length of the payload, JSON, safetensors."""

    def __init__(self, read: BinaryIO, write: BinaryIO) -> None:
        self._read, self._write = read, write

    def read(self) -> tuple[dict[str, Any], bytes] | None:
        prefix = self._exactly(12, may_end=True)
        if prefix is None:
            return None
        n_header, n_payload = struct.unpack("<IQ", prefix)
        if n_header > MOST_HEADER:
            raise ValueError(f"a header of {n_header} bytes, and at most {MOST_HEADER} can be right")
        header = json.loads(self._exactly(n_header))
        return header, self._exactly(n_payload)

    def write(self, header: Mapping[str, Any], tensors: Mapping[str, Array] | None = None) -> None:
        text = json.dumps(header, allow_nan=False).encode()
        payload = b"" if not tensors else save_tensors({name: np.ascontiguousarray(x) for name, x in tensors.items()})
        self._write.write(struct.pack("<IQ", len(text), len(payload)) + text + payload)
        self._write.flush()

    def _exactly(self, count: int, may_end: bool = False) -> bytes | None:
        data = self._read.read(count)
        if may_end and not data:
            return None
        if len(data) != count:
            raise EOFError("metastable closed the connection within a message")
        return data


def serve(learner: Learner) -> None:
    """Answers metastable until it says goodbye; call it last in your program."""
    stream = _STREAM
    header: dict[str, Any] = {}
    try:
        while True:
            message = stream.read()
            if message is None:
                return
            header, payload = message
            if header["type"] == "bye":
                return
            reply, tensors = _answer(learner, header, payload, stream)
            stream.write({**reply, "id": header["id"]}, tensors)
    except BrokenPipeError:
        return
    except BaseException as error:  # noqa: BLE001 - whatever it is, the laboratory is told
        traceback.print_exc()
        sys.stderr.flush()
        try:
            message = f"{type(error).__name__}: {error}"
            stream.write({"type": "error", "id": header.get("id", 0), "message": message[:2000]})
        except (BrokenPipeError, ValueError):
            pass
        sys.exit(1)


def _answer(
    learner: Learner, header: dict[str, Any], payload: bytes, stream: _Stream
) -> tuple[dict[str, Any], dict[str, Array] | None]:
    kind = header["type"]
    if kind == "hello":
        return _greet(learner, header), None
    if kind == "train":
        found = load_tensors(payload)
        tasks = [
            Task(_pixels(found[f"{i}.support.images"]), found[f"{i}.support.labels"],
                 _pixels(found[f"{i}.query.images"]), found[f"{i}.query.labels"])
            for i in range(header["tasks"])
        ]
        return {"type": "trained", **_numbers(learner.train(tasks))}, None
    if kind == "fit":
        found = load_file(header["path"])
        parts = [(_pixels(found[f"{part}.images"]), found[f"{part}.labels"]) for part in ("train", "validation")]
        fitted = learner.fit(parts[0], parts[1], Report(stream, header["id"]))
        return {"type": "fitted", "step": int(fitted["step"]), **_numbers(fitted)}, None
    if kind == "predict":
        found = load_tensors(payload)
        tasks = [
            (_pixels(found[f"{i}.support.images"]), found[f"{i}.support.labels"], _pixels(found[f"{i}.query.images"]), way)
            for i, way in enumerate(header["ways"])
        ]
        scores = learner.predict_many(tasks)
        return {"type": "prediction"}, {f"{i}.logits": _floats(row) for i, row in enumerate(scores)}
    if kind == "features":
        return {"type": "features"}, {"embeddings": _floats(learner.features(_pixels(load_tensors(payload)["images"])))}
    if kind == "save":
        learner.save(Path(header["path"]))
        return {"type": "saved"}, None
    if kind == "load":
        learner.load(Path(header["path"]))
        return {"type": "loaded"}, None
    raise ValueError(f"metastable says {kind!r}, which this version of metastable_guest.py does not know")


def _greet(learner: Learner, header: dict[str, Any]) -> dict[str, Any]:
    if header["protocol"] == PROTOCOL:
        learner.start(
            Run(header["run"], header["training"], header["settings"], header["seeds"], header["data"], header["episode"],
                header["test"], header["budget"], header["threads"], Path(header["scratch"]))
        )
    is_own = lambda method: getattr(type(learner), method) is not getattr(Learner, method)  # noqa: E731
    offers = [method for method in ("train", "fit", "features", "save") if is_own(method)]
    return {
        "type": "ready",
        "protocol": PROTOCOL,
        "name": learner.name or type(learner).__name__,
        "version": learner.version,
        "offers": ["predict", *offers],
        "fixed_way": learner.fixed_way,
        "max_batch": learner.max_batch,
        "label_bound": learner.label_bound,
        "order_bound": learner.order_bound,
        "modules": _modules(),
    }


def _modules() -> dict[str, str]:
    """Digest of each module that was imported from the folder the program was started in."""
    here = Path.cwd().resolve()
    found: dict[str, str] = {}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if not path:
            continue
        try:
            full = Path(path).resolve()
            name = full.relative_to(here)
        except (OSError, ValueError):
            continue
        if "site-packages" not in name.parts and full.is_file():
            found[name.as_posix()] = hashlib.sha256(full.read_bytes()).hexdigest()
    return dict(sorted(found.items())[:200])


def _pixels(images: Array) -> Array:
    """Bytes over 255, or floats as they are."""
    return np.divide(images, np.float32(255), dtype=np.float32) if images.dtype == np.uint8 else images


def _floats(values: Any) -> Array:
    """An array of numpy from whatever has one (torch tensors are detached and copied to the CPU)."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    values = np.asarray(values)
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)


def _numbers(said: Mapping[str, float]) -> dict[str, float | None]:
    missing = {"loss", "accuracy"} - set(said)
    if missing:
        raise ValueError(f"train and fit return loss and accuracy; {sorted(missing)} is missing")
    names = [name for name in ("loss", "accuracy", "gradient_norm") if name in said]
    return {name: _finite(said[name]) for name in names}


def _finite(value: float) -> float | None:
    """JSON has no NaN: what is not finite is null, which metastable records as a divergence."""
    value = float(value)
    return value if math.isfinite(value) else None


def _widen(descriptor: int) -> None:
    """A pipe that holds a whole message spares the two sides from waking each other for its parts; Linux alone can do it."""
    try:
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 1 << 20)
    except (ImportError, AttributeError, OSError):
        pass


def _take_streams() -> _Stream:
    """The two streams of the protocol under descriptors of their own; descriptor 1 becomes stderr, so that nothing that is printed,
    by whatever library, can get into a frame."""
    write = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    read = os.fdopen(os.dup(0), "rb")
    for stream in (read, write):
        _widen(stream.fileno())
    # What reads stdin in the learner's code finds nothing, instead of the protocol.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return _Stream(read, write)


_STREAM = _take_streams()
