"""Ctrl-C while the command is still importing what it needs."""

import asyncio
import signal
import sys


def _take_ctrl_c() -> None:
    """Let children take Ctrl-C: a process in the background of a shell ignores it, and its children would."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


async def test_ctrl_c_during_the_imports_is_quiet() -> None:
    _take_ctrl_c()
    command = (sys.executable, "-X", "importtime", "-m", "lumenmill_client.command", "--help")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    lines: list[str] = []
    while line := (await asyncio.wait_for(process.stderr.readline(), 60)).decode():
        lines.append(line)
        if line.split("|")[-1].strip() == "lumenmill.common.v1":
            process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 60) == 130
    assert all(line.startswith("import time:") for line in lines), "nothing but the lines of -X importtime"
