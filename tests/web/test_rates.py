"""Limits of request rates, in each client's own form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

import protocols
from tests.harness import Answer, Server
from tests.samples.base import Shop
from tests.samples.npm import Publish

SETTINGS = {
    "rates": True,
    "copy_package_versions_rate": 1,
    "account_write_rate": 12,
    "account_read_rate": 0,
    "token_rate": 5,
    "address_rate": 3,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("rates"), settings={"quotas": SETTINGS}) as server:
        server.make("dom", "repo")
        yield server


def until_refused(ask: Callable[[], Answer], most: int) -> Answer:
    for _ in range(most):
        answer = ask()
        if answer.status == 429:
            return answer
    raise AssertionError(f"{most} requests passed")


def test_the_api_answers_in_the_models_form(server: Server) -> None:
    aws = server.boto()

    def copy() -> None:
        aws.copy_package_versions(
            domain="dom",
            sourceRepository="repo",
            destinationRepository="repo",
            format="npm",
            package="none",
            versions=["1.0.0"],
        )

    with pytest.raises(aws.exceptions.ThrottlingException) as refused:
        for _ in range(20):
            try:
                copy()
            except aws.exceptions.ResourceNotFoundException:
                continue
    response = refused.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    assert response["retryAfterSeconds"] == 1
    assert "Rate exceeded" in response["Error"]["Message"]


@pytest.mark.parametrize("format", [each.info.name for each in protocols.FORMATS])
def test_an_endpoint_answers_in_its_clients_form(server: Server, format: str) -> None:
    sample = import_module(f"tests.samples.{format}").SAMPLE
    token = server.boto().get_authorization_token(domain="dom")["authorizationToken"]
    shop = Shop(server, format, "repo", token=token)
    path = sample.index("none")

    refused = until_refused(lambda: shop("GET", path), 300)

    assert refused.headers["retry-after"] == "1"
    assert "Rate exceeded: at most 5 requests with one authorization token per second" in refused.text
    assert "packyard" not in refused.headers.get("www-authenticate", "")
    other = server.boto().get_authorization_token(domain="dom")["authorizationToken"]
    assert Shop(server, format, "repo", token=other)("GET", path).status != 429  # another token is another limit


def test_a_question_about_many_gems_counts_as_many(server: Server) -> None:
    """Guide, "Quotas": `/api/v1/dependencies?gems=gem1,gem2,gem3` is three requests."""
    token = server.boto().get_authorization_token(domain="dom")["authorizationToken"]
    shop = Shop(server, "ruby", "repo", token=token)
    names = ",".join(f"gem{number}" for number in range(18))

    assert shop("GET", f"api/v1/dependencies?gems={names}").status == 200
    until_refused(lambda: shop("GET", f"api/v1/dependencies?gems={names}"), 4)


def test_without_a_token_an_address_is_limited(server: Server) -> None:
    address = server.endpoint("npm") + "none"
    assert server.get(address).status == 401

    refused = until_refused(lambda: server.get(address), 100)

    assert refused.headers["retry-after"] == "1"
    assert "www-authenticate" not in refused.headers


def test_answers_from_memory_count_too(server: Server) -> None:
    first = server.token("dom")
    sample = Publish("hot", "1.0.0")
    headers = {"Authorization": f"Bearer {first}", "Content-Type": "application/json"}
    done = server.request("PUT", server.endpoint("npm") + "hot", body=sample.body(), headers=headers)
    assert done.status in (201, 429)
    while done.status == 429:
        done = server.request("PUT", server.endpoint("npm") + "hot", body=sample.body(), headers=headers)
    token = server.boto().get_authorization_token(domain="dom")["authorizationToken"]
    read = {"Authorization": f"Bearer {token}"}

    refused = until_refused(lambda: server.get(server.endpoint("npm") + "hot", headers=read), 200)

    assert refused.headers["retry-after"] == "1" and "error" in refused.json()


def test_rates_are_off_by_default(tmp_path: Path) -> None:
    with Server(tmp_path / "plain") as plain:
        assert plain.app.services.rates is None
        plain.make("dom", "repo")
        address = plain.endpoint("npm") + "none"
        assert {plain.get(address).status for _ in range(20)} == {401}
