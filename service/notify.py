"""What systemd is told: ready, alive, stopping (sd_notify, a datagram to a socket that it names)."""

from __future__ import annotations

import contextlib
import os
import socket


class Notifier:
    """Does nothing where no service manager listens (`NOTIFY_SOCKET` is not set)."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")

    @property
    def watchdog_seconds(self) -> float | None:
        """How often at least it wants to hear that the service is alive, None where it does not."""
        if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return None
        text = os.environ.get("WATCHDOG_USEC", "")
        return int(text) / 1e6 if text.isdecimal() and int(text) else None

    def ready(self) -> None:
        self._send("READY=1")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """A line that `systemctl status` shows."""
        self._send("STATUS=" + " ".join(text.split()))

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the zero byte of an abstract socket.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            # A manager that does not listen must not hold the service up.
            channel.settimeout(0.5)
            channel.sendto(message.encode(), address)
