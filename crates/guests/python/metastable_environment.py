"""The other side of metastable's environments, in one file: numpy and safetensors are all it needs.

Copy this file beside your environment (``metastable guest --environment > metastable_environment.py``), say what a task is and how one is
made, and serve it. With Gymnasium::

    import gymnasium
    from metastable_environment import Tasks, serve

    class CartPoles(Tasks):
        observed, actions, names = 4, "discrete-2", ("length", "masspole")

        def draw(self, rng):                     # a task is a row of numbers
            return rng.uniform(0.25, 1.0), rng.uniform(0.05, 0.5)

        def make(self, task):                    # anything with reset(seed=) and step(action), as Gymnasium has it
            env = gymnasium.make("CartPole-v1")
            env.unwrapped.length, env.unwrapped.masspole = task
            env.unwrapped.polemass_length = env.unwrapped.masspole * env.unwrapped.length
            env.unwrapped.total_mass = env.unwrapped.masspole + env.unwrapped.masscart
            return env

    serve(CartPoles())

A message asks for a whole batch of rollouts: the weights of the policy come along, and this module evaluates them. The start of a rollout
and its actions are drawn from the seed of the rollout alone, so that equal questions have equal answers as far as your environment does
the same.

Whatever is printed goes to stderr: stdout belongs to the protocol (this module sees to it before your code runs).
"""

from __future__ import annotations

import json
import os
import struct
import sys
import traceback
from typing import Any, BinaryIO, Mapping, Sequence

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

PROTOCOL = 1
"""Version of the protocol; metastable refuses another."""

MOST_HEADER = 1 << 20
"""Most bytes of a header."""

Array = np.ndarray


class Tasks:
    """A distribution of tasks: overwrite ``draw`` and ``make``."""

    name: str = ""
    """What it calls itself; the name of the class if empty."""
    version: str = ""
    """Its own version, for the record."""
    observed: int = 1
    """Numbers that are observed of a state."""
    actions: str = "discrete-2"
    """``discrete-N``: one of N; ``continuous-N``: N numbers."""
    names: Sequence[str] = ()
    """What each number of a task is."""

    def start(self, settings: Mapping[str, Any], horizon: int) -> None:
        """Called once, before anything else: the ``settings`` of the study, and the most steps of a rollout."""

    def draw(self, rng: np.random.Generator) -> Sequence[float]:
        """The numbers of a task, from this generator alone."""
        raise NotImplementedError

    def make(self, task: Sequence[float]) -> Any:
        """The environment of a task: ``reset(seed=...) -> (observation, info)`` and ``step(action) -> (observation, reward,
        terminated, truncated, info)``, as Gymnasium has them."""
        raise NotImplementedError


class Policy:
    """A multilayer perceptron by its weights; its last layer is the parameters of a distribution over actions."""

    def __init__(self, tensors: Mapping[str, Array], activation: str, actions: str) -> None:
        n_layers = 0
        while f"policy.blocks.{n_layers}.linear.weight" in tensors:
            n_layers += 1
        of = lambda name: tensors[f"policy.{name}"].astype(np.float64)  # noqa: E731
        self._layers = [(of(f"blocks.{at}.linear.weight"), of(f"blocks.{at}.linear.bias")) for at in range(n_layers)]
        self._head = (of("head.weight"), of("head.bias"))
        self._activation = {"relu": lambda x: np.maximum(x, 0.0), "tanh": np.tanh}[activation]
        kind, count = actions.split("-")
        self.is_discrete, self.count = kind == "discrete", int(count)

    def draw(self, observation: Array, rng: np.random.Generator) -> tuple[Any, list[float]]:
        """An action for the environment, and the same as numbers for metastable."""
        x = observation
        for weight, bias in self._layers:
            x = self._activation(weight @ x + bias)
        out = self._head[0] @ x + self._head[1]
        if self.is_discrete:
            shares = np.exp(out - out.max())
            bounds = np.cumsum(shares / shares.sum())
            chosen = min(int(np.searchsorted(bounds, rng.random(), side="right")), self.count - 1)
            return chosen, [float(chosen)]
        values = out[: self.count] + np.exp(out[self.count :]) * rng.standard_normal(self.count)
        return values.astype(np.float32), [float(value) for value in values]


def rollout(env: Any, policy: Policy, seed: int, horizon: int) -> tuple[list[Array], list[list[float]], list[float]]:
    """One rollout: what was observed, done and rewarded, step by step."""
    rng = np.random.default_rng(seed)
    seen, _ = env.reset(seed=seed % (1 << 31))
    observations, actions, rewards = [], [], []
    for _ in range(horizon):
        observation = np.asarray(seen, dtype=np.float64).reshape(-1)
        action, numbers = policy.draw(observation, rng)
        seen, reward, terminated, truncated, _ = env.step(action)
        observations.append(observation)
        actions.append(numbers)
        rewards.append(float(reward))
        if terminated or truncated:
            break
    return observations, actions, rewards


class _Stream:
    """Frames: u32 length of the header, u64 length of the payload, JSON, safetensors."""

    def __init__(self, read: BinaryIO, write: BinaryIO) -> None:
        self._read, self._write = read, write

    def read(self) -> tuple[dict[str, Any], bytes] | None:
        prefix = self._read.read(12)
        if not prefix:
            return None
        n_header, n_payload = struct.unpack("<IQ", prefix)
        if n_header > MOST_HEADER:
            raise ValueError(f"a header of {n_header} bytes, and at most {MOST_HEADER} can be right")
        return json.loads(self._exactly(n_header)), self._exactly(n_payload)

    def write(self, header: Mapping[str, Any], tensors: Mapping[str, Array] | None = None) -> None:
        text = json.dumps(header, allow_nan=False).encode()
        payload = b"" if tensors is None else save_tensors({name: np.ascontiguousarray(x) for name, x in tensors.items()})
        self._write.write(struct.pack("<IQ", len(text), len(payload)) + text + payload)
        self._write.flush()

    def _exactly(self, count: int) -> bytes:
        data = self._read.read(count)
        if len(data) != count:
            raise EOFError("metastable closed the connection within a message")
        return data


def serve(tasks: Tasks) -> None:
    """Answers metastable until it says goodbye; call it last in your program."""
    stream, horizon = _STREAM, 0
    header: dict[str, Any] = {}
    try:
        while True:
            message = stream.read()
            if message is None:
                return
            header, payload = message
            kind = header["type"]
            if kind == "bye":
                return
            if kind == "hello":
                horizon = int(header["horizon"])
                tasks.start(header["settings"], horizon)
                reply: dict[str, Any] = {
                    "type": "ready", "protocol": PROTOCOL, "name": tasks.name or type(tasks).__name__, "version": tasks.version,
                    "observed": int(tasks.observed), "actions": tasks.actions, "task": list(tasks.names),
                }
                tensors = None
            elif kind == "tasks":
                rows = [np.asarray(tasks.draw(np.random.default_rng(seed)), dtype=np.float64).reshape(-1) for seed in header["seeds"]]
                reply, tensors = {"type": "tasks"}, {"tasks": np.stack(rows)}
            elif kind == "rollouts":
                reply, tensors = {"type": "rollouts"}, _rollouts(tasks, header, load_tensors(payload), horizon)
            else:
                raise ValueError(f"a message of type {kind!r}, which this version of metastable_environment.py does not know")
            stream.write({**reply, "id": header["id"]}, tensors)
    except BrokenPipeError:
        return
    except BaseException as error:  # noqa: BLE001 - whatever it is, the laboratory is told
        traceback.print_exc()
        sys.stderr.flush()
        try:
            stream.write({"type": "error", "id": header.get("id", 0), "message": f"{type(error).__name__}: {error}"[:2000]})
        except (BrokenPipeError, ValueError):
            pass
        sys.exit(1)


def _rollouts(tasks: Tasks, header: Mapping[str, Any], sent: Mapping[str, Array], horizon: int) -> dict[str, Array]:
    policy = Policy(sent, header["activation"], tasks.actions)
    env = tasks.make([float(number) for number in sent["task"]])
    observations: list[Array] = []
    actions: list[list[float]] = []
    rewards: list[float] = []
    lengths: list[int] = []
    for seed in header["seeds"]:
        seen, done, got = rollout(env, policy, seed, horizon)
        observations += seen
        actions += done
        rewards += got
        lengths.append(len(got))
    close = getattr(env, "close", None)
    if close is not None:
        close()
    return {
        "lengths": np.asarray(lengths, dtype=np.int64),
        "observations": np.asarray(observations, dtype=np.float64),
        "actions": np.asarray(actions, dtype=np.float64),
        "rewards": np.asarray(rewards, dtype=np.float64),
    }


def _claim_stdout() -> _Stream:
    """Takes stdout for the protocol: whatever prints from now on, prints to stderr."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return _Stream(sys.stdin.buffer, out)


_STREAM = _claim_stdout()
