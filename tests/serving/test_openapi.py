from __future__ import annotations

import re

import httpx

from serving.api.schemas import RefundDecisionIn, ScoresIn


async def test_the_document_is_complete(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert list(document["paths"]["/metrics"]["get"]["responses"]["200"]["content"]) == ["text/plain"]
    schemas = document["components"]["schemas"]
    wanted = set(re.findall(r'"#/components/schemas/([^"]+)"', str(document).replace("'", '"')))
    assert wanted <= set(schemas)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = set(operation["responses"])
            assert ("security" in operation) == path.startswith("/v1"), path
            if path.startswith("/v1"):
                assert {"401", "403", "422", "503"} <= statuses, path
            assert ("requestBody" in operation) == (method == "post"), path
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"], (path, status)


async def test_the_examples_are_what_the_service_takes(client: httpx.AsyncClient) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    for model in (RefundDecisionIn, ScoresIn):
        assert schemas[model.__name__]["examples"]
    example = schemas["RefundDecisionIn"]["examples"][0]
    assert (await client.post("/v1/refund-decisions", json=example)).status_code == 201
    assert (await client.post("/v1/scores", json=schemas["ScoresIn"]["examples"][0])).status_code == 200
    sent = await client.post("/v1/events", json=schemas["EventsDocumented"]["examples"][0])
    assert sent.json()["results"][0]["status"] == "accepted"


async def test_the_page_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) == 3
    for address in loaded:
        assert address.startswith("/")
        assert (await client.get(address)).status_code == 200
    assert "http://" not in page
    assert "https://" not in page
