"""Clients that are slow, or that never come to an end, hold nobody else up and are let go."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from serving import connections
from serving.app import create_app
from serving.settings import Settings
from tests.serving.conftest import live
from tests.serving.scenes import NOW, FakeModels

HEAD = b"GET /healthz HTTP/1.1\r\nHost: t\r\n"


@pytest.fixture
def address(settings: Settings, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    quick = settings.model_copy(update={"body_timeout_seconds": 1.0, "key_cache_seconds": 60.0})
    app: FastAPI = create_app(quick, database_url=url, models=FakeModels(), clock=lambda: NOW)
    with live(app, quick) as address:
        yield address


def connected(address: str) -> socket.socket:
    parts = urlsplit(address)
    client = socket.create_connection((parts.hostname or "", parts.port or 0))
    client.settimeout(20)
    return client


@pytest.mark.parametrize("sent", [b"", b"G", HEAD, HEAD + b"\r\n" + HEAD[:9]])
def test_a_head_that_does_not_come_to_its_end_closes_the_connection(address: str, sent: bytes) -> None:
    with connected(address) as client:
        client.sendall(sent)
        while client.recv(4096):
            pass


def test_a_head_that_comes_drop_by_drop_is_closed_all_the_same(address: str) -> None:
    with connected(address) as client, pytest.raises(OSError, match=r"reset|pipe"):
        pour(client, b"X: y\r\n", times=200, every=0.1)


def test_a_head_without_end_is_closed_before_it_fills_the_memory(address: str) -> None:
    with connected(address) as client, pytest.raises(OSError, match=r"reset|pipe"):
        pour(client, b"X: " + b"y" * 60_000 + b"\r\n", times=1000, every=0.001)


def pour(client: socket.socket, line: bytes, *, times: int, every: float) -> None:
    client.sendall(HEAD)
    for _ in range(times):
        client.sendall(line)
        time.sleep(every)


def test_a_body_that_does_not_come_is_answered_408_and_others_meanwhile(
    address: str, headers: dict[str, str]
) -> None:
    asked = (
        f"POST /v1/refund-decisions HTTP/1.1\r\nHost: t\r\nAuthorization: {headers['Authorization']}\r\n"
        "Content-Length: 100\r\n\r\n{"
    )
    httpx.get(f"{address}/v1/buyers/b/score", headers=headers, timeout=20)  # its key is remembered
    slow = [connected(address) for _ in range(40)]
    for client in slow:
        client.sendall(asked.encode())
    assert httpx.get(f"{address}/healthz", timeout=20).status_code == 200
    for client in slow:
        assert client.recv(4096).startswith(b"HTTP/1.1 408 ")
        client.close()


def test_a_connection_that_is_kept_alive_goes_on(address: str) -> None:
    with connected(address) as client:
        for _ in range(3):
            client.sendall(HEAD + b"\r\n")
            answer = b""
            while b"alive" not in answer:
                answer += client.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200 ")
            time.sleep(0.7)
