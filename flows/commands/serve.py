"""`answerable serve`."""

import sys
from pathlib import Path

from contracts.errors import QuestionError

_PORTS = range(65536)


def serve(  # noqa: PLR0913 - a command's options
    folder: Path = Path(),
    *,
    host: str = "127.0.0.1",
    port: int = 8787,
    sweep_seconds: float = 30.0,
    refresh_minutes: float = 60.0,
    grace_seconds: float = 30.0,
    once: bool = False,
) -> None:
    """Receive webhooks, watch inbox folders, and keep the release current within seconds, until it is told to end.

    A feed with `kind: push` gets a hook: `POST /hooks/<feed>`, signed as its `receive:` says. 202 means that the
    delivery is on the disk; a repeated one is answered with 200. It then takes one run to become judged metrics,
    and alerts of it are sent. Files dropped into inbox folders and changes of the map do the same. Nothing that was
    accepted is lost by a kill, and nothing lands twice; several may serve one workspace, one at a time runs.

    `/healthz` says whether the process works, `/readyz` whether deliveries can be taken and what is wrong besides,
    `/metrics` the same as numbers, for Prometheus. Put a proxy with TLS before it, and let it pass /hooks/ only.

    Example: `CHAT_SECRET=$(openssl rand -hex 32) answerable serve shop`, with a feed whose YAML has
    `kind: push` and `receive: {scheme: github, secret_from: CHAT_SECRET}`. See docs/serve.md.

    Args:
        folder: The workspace.
        host: The address to listen on; 0.0.0.0 for every one.
        port: Its port; 0 for any that is free.
        sweep_seconds: How often to look for what no watch and no hook has told of.
        refresh_minutes: How often to run although nothing came: alerts climb and feeds grow old with time alone.
        grace_seconds: How long a run that is under way may take when SIGTERM comes.
        once: Look once, run when there is something to do, send what is due, and end; nothing is received.
    """
    must_be_port("--port", port)
    from flows.serving.reactor import Rhythm  # noqa: PLC0415 - everything that runs need
    from flows.serving.server import HotLane, Options  # noqa: PLC0415
    from flows.serving.server import serve as serve_until_told  # noqa: PLC0415

    rhythm = Rhythm(sweep=sweep_seconds, refresh=refresh_minutes * 60)
    options = Options(host=host, port=port, grace_seconds=grace_seconds, rhythm=rhythm)
    if not once:
        serve_until_told(folder, options)
        return
    lane = HotLane(folder, options)
    is_well = lane.once()
    told = lane.standing.told
    for what, why in told.trouble.items():
        sys.stderr.write(f"{what}: {why}\n")
    sys.stdout.write(f"release {told.release}\n" if told.release else "nothing to do\n")
    sys.exit(0 if is_well else 1)


def must_be_port(option: str, number: int) -> None:
    """Refuse what is no port.

    Raises:
        QuestionError: It is none.
    """
    if number not in _PORTS:
        raise QuestionError.at(option, f"{number} is no port.", "Write a number from 0 to 65535.")
