"""`server.domain_suffix`: a domain's own host name, as the cloud service has it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.harness import ACCOUNT, Server

HOST = f"dom-{ACCOUNT}.d.codeartifact.us-west-2.packages.example"


def test_a_domains_host_serves_its_repositories_and_links_to_itself(tmp_path: Path) -> None:
    with Server(tmp_path / "data", settings={"server": {"domain_suffix": "packages.example"}}) as server:
        server.make("dom", "repo")
        token = server.token()
        body = b"bytes"
        put = server.request("PUT", "/generic/repo/ns/pk/1.0/a.bin", body=body, token=token, headers={"Host": HOST})
        got = server.get("/generic/repo/ns/pk/1.0/a.bin", token=token, headers={"Host": f"{HOST}:8080"})
        elsewhere = server.get("/generic/repo/ns/pk/1.0/a.bin", token=token)
        classic = server.get(server.endpoint("generic") + "ns/pk/1.0/a.bin", token=token)
        other = server.get(
            "/generic/repo/ns/pk/1.0/a.bin", token=token, headers={"Host": HOST.replace("dom-", "other-")}
        )

        assert (put.status, got.body, classic.body) == (201, body, body)
        assert elsewhere.status == 404
        assert other.status in (403, 404)


def test_without_the_setting_a_host_name_means_nothing(server: Server) -> None:
    answer = server.get("/npm/repo/left", token=server.token(), headers={"Host": HOST})

    assert answer.status == 404
    assert "message" in json.loads(answer.body)
