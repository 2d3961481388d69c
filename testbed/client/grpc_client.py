"""A gRPC client as tests see it, whichever library it is: channels, calls, load, connectivity states.

The libraries run as programs that speak the same lines: `grpcio_client.py` beside this file, and testbed/interop.
"""

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, Unpack

import grpc

from testbed.process import go_program, java_program, node_program
from testbed.process.deadline import until
from testbed.process.line_program import LineProgram
from testbed.process.process import Processes

Library = Literal["grpcio", "grpc-go", "grpc-java", "grpc-js"]

_GRPCIO = Path(__file__).with_name("grpcio_client.py")
_INTEROP = Path(__file__).parents[1] / "interop"
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_SETTLED_CALLS = 30

_T = TypeVar("_T")


@functools.cache
def program(library: Library) -> tuple[str, ...]:
    """How the client of a library is started; it is built first, unless it is there. Raises BuildError."""
    match library:
        case "grpcio":
            return sys.executable, "-P", str(_GRPCIO)
        case "grpc-go":
            return (str(go_program.build(_INTEROP / "grpc_go")),)
        case "grpc-java":
            return (*java_program.command(java_program.build(_INTEROP / "grpc_java"), "Client"),)
        case "grpc-js":
            return (*node_program.command(node_program.build(_INTEROP / "grpc_js"), "client.js"),)


@dataclass(frozen=True, slots=True)
class Answer:
    """One finished call. `backend` is the address that answered, "" when the call failed with `code` and `error`.
    `metadata` is what came with the answer, before and behind it; several values of a name are joined by commas."""

    backend: str
    code: grpc.StatusCode
    error: str
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def ok(self) -> bool:
        return self.code is grpc.StatusCode.OK


class Request(TypedDict, total=False):
    """Options of calls; defaults: `/steerway.test.Backend/Name` without metadata, for 20 s."""

    method: str
    """`/PACKAGE.SERVICE/METHOD`: backends answer every one."""
    metadata: Mapping[str, str]
    deadline_seconds: float


class Client(LineProgram):
    """One client process; `bootstrap` is the file that its xds:/// targets use (None: that of `launcher`, the command
    that starts the client), `environment` is added to ours."""

    def __init__(
        self,
        processes: Processes,
        library: Library,
        bootstrap: Path | None,
        environment: Mapping[str, str] | None = None,
        launcher: Sequence[str] = (),
    ) -> None:
        self.library = library
        variables = {**({"GRPC_XDS_BOOTSTRAP": str(bootstrap)} if bootstrap else {}), **(environment or {})}
        command = [*launcher, *program(library)]
        super().__init__(processes.start(f"{library} client", command, **variables))
        self._channels: dict[str, Channel] = {}

    def dial(self, target: str, idle_seconds: float = 0.0, xds_credentials: bool = False) -> "Channel":
        """A new channel; it goes idle after `idle_seconds` without a call (0: never). With `xds_credentials` it has the
        credentials of the Cluster, plaintext where that has none."""
        name = str(len(self._channels))
        channel = self._channels[name] = Channel(self, name, target)
        self.send(
            do="dial",
            channel=name,
            target=target,
            idle_seconds=idle_seconds,
            xds_credentials=xds_credentials,
        )
        return channel

    def take(self, document: dict[str, Any]) -> None:
        """Give a line to the channel that it is about."""
        self._channels[document["channel"]].take(document)


@dataclass
class Channel:
    """One channel of a client. `answers` has every finished call in order, `states` every connectivity state."""

    client: Client
    name: str
    target: str
    answers: list[Answer] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    _commands: int = 0
    _done: set[int] = field(default_factory=set)

    def take(self, stated: dict[str, Any]) -> None:
        """Note one line of the process about this channel."""
        if "state" in stated:
            self.states.append(stated["state"])
        elif "done" in stated:
            self._done.add(stated["done"])
        else:
            answer = Answer(stated["backend"], _CODES[stated["code"]], stated["error"], stated["metadata"])
            self.answers.append(answer)

    def begin(self, count: int = 1, **request: Unpack[Request]) -> None:
        """Make calls, all at once, and do not wait for their end."""
        for _ in range(count):
            self._send("call", 1, request)

    def call(self, count: int = 1, **request: Unpack[Request]) -> list[Answer]:
        """Make calls one after another; on a channel under load, its answers are among those that are returned."""
        return self._do("call", count, request)

    def wait_for_answer(self, **request: Unpack[Request]) -> None:
        """Call until the first answer: the control plane may not know the backends yet."""
        until(lambda: self.call(**request)[0].ok, f"an answer at {self.target}")

    def wait_for_backend(self, backend: str, **request: Unpack[Request]) -> None:
        """Call until this backend answers."""
        until(
            lambda: self.call(**request)[0].backend == backend,
            lambda: f"an answer of {backend} at {self.target}, but {self.answers[-1]}",
        )

    def wait_for_code(self, code: grpc.StatusCode, **request: Unpack[Request]) -> None:
        """Call until a call ends with this status."""
        until(
            lambda: self.call(**request)[0].code is code,
            lambda: f"{code} at {self.target}, but {self.answers[-1]}",
        )

    def wait_for_answers(self, count: int) -> list[Answer]:
        """Wait until there are so many answers in all."""
        self.client.wait(lambda: len(self.answers) >= count, f"{count} answers at {self.target}")
        return self.answers

    def gather(self, count: int, **request: Unpack[Request]) -> list[Answer]:
        """Make `count` calls that the backends answer when all of them are under way at the same time."""
        return self._do("gather", count, request)

    @contextmanager
    def load(self, rate: float = 100.0, **request: Unpack[Request]) -> Iterator["Load"]:
        """Call `rate` times per second until the context ends, which waits for the last call."""
        load = Load(self, len(self.answers))
        self.client.send(do="start", channel=self.name, rate=rate, **request)
        yield load
        self._do("stop")

    def wait_for_state(self, wanted: str) -> None:
        """Wait until the channel is in this connectivity state."""
        what = f"{wanted} as the state of {self.target}"
        self.client.wait(lambda: self.states[-1:] == [wanted], what)

    def _do(self, what: str, count: int = 0, request: Request | None = None) -> list[Answer]:
        answers = len(self.answers)
        command = self._send(what, count, request)
        self.client.wait(lambda: command in self._done, f"the end of {what} {self.target}")
        return self.answers[answers:]

    def _send(self, what: str, count: int, request: Request | None = None) -> int:
        self._commands += 1
        self.client.send(do=what, channel=self.name, id=self._commands, count=count, **(request or {}))
        return self._commands


class Load:
    """Calls that go on while the test does something else."""

    def __init__(self, channel: Channel, start: int) -> None:
        self._channel = channel
        self._start = start

    @property
    def answers(self) -> Sequence[Answer]:
        self._channel.client.read()
        return self._channel.answers[self._start :]

    @property
    def failures(self) -> list[Answer]:
        return [answer for answer in self.answers if not answer.ok]

    @property
    def lost(self) -> list[Answer]:
        """The failures that a change of routes must not cause. grpc-go has some of its own: a call that is routed to a
        new cluster before the balancer knows it, which it learns a moment later (clientconn.go,
        updateResolverStateAndUnlock)."""
        return [answer for answer in self.failures if "unknown cluster selected for RPC" not in answer.error]

    def wait(self, find: Callable[[Sequence[Answer]], bool], what: str) -> None:
        """Wait until `find` is true of the answers that came since now."""
        channel = self._channel
        start = len(channel.answers)
        channel.client.wait(lambda: find(channel.answers[start:]), f"{what} at {channel.target}")

    def wait_for_backend(self, backend: str) -> None:
        """Wait for an answer from this backend."""
        self.wait(
            lambda answers: any(answer.backend == backend for answer in answers), f"answers of {backend}"
        )

    def settle(self, *backends: str) -> None:
        """Wait until the newest calls were answered by exactly these backends."""

        def settled(answers: Sequence[Answer]) -> bool:
            newest = answers[-_SETTLED_CALLS:]
            return len(newest) == _SETTLED_CALLS and {answer.backend for answer in newest} == set(backends)

        self.wait(settled, f"only answers from {', '.join(backends)}")

    def go_on(self, count: int = _SETTLED_CALLS) -> None:
        """Wait until so many more calls were answered, well or not."""
        self.wait(lambda answers: len(answers) >= count, f"{count} more answers")
