"""A policy to propose, and what is asked while it is in force."""

from __future__ import annotations

from typing import Any

import httpx

from tests.serving.scenes import request

POLICIES, DECISIONS = "/v1/policies", "/v1/refund-decisions"
TIGHT = 'version = "tight-1"\ncap_fen = 12_900\n'
WHY = {"reason": "a test"}


async def propose(client: httpx.AsyncClient, text: str = TIGHT) -> httpx.Response:
    return await client.post(POLICIES, json={"text": text})


async def decided(client: httpx.AsyncClient, n: int) -> dict[str, Any]:
    body = request(after_sale_id=f"AS-{n}", order_id=f"O-{n}")
    answer: dict[str, Any] = (await client.post(DECISIONS, json=body)).json()
    return answer
