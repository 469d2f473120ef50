"""settings.xml of Maven, an init script of Gradle, global settings of sbt."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from registry.login import java
from registry.login.changes import Place
from registry.login.errors import Malformed
from registry.login.session import Grant

GRANT = Grant("http://127.0.0.1:8080/maven/d/dom-111122223333/repo/", "py1.to-ken_1", datetime(2030, 1, 1, tzinfo=UTC))
OTHER = Grant("https://host/maven/d/dom-111122223333/repo/", "py1.other", datetime(2030, 1, 1, tzinfo=UTC))
THEIRS = """<?xml version="1.0" encoding="UTF-8"?>
<!-- mine -->
<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0">
  <localRepository>/m2</localRepository>
  <servers>
    <!-- keep -->
    <server><id>other</id><password>theirs</password></server>
    <server>
      <id>packyard</id>
      <password>old</password>
    </server>
  </servers>
</settings>
"""


def edited(text: str, grant: Grant = GRANT) -> str:
    (edit,) = java.maven(Place(Path("/home/me"), {}), grant, "")
    assert edit.path == Path("/home/me/.m2/settings.xml")
    return edit.edit(text)


@pytest.mark.parametrize("before", ["", "\n", "<settings/>", THEIRS])
def test_a_server_and_an_active_profile_are_set(before: str) -> None:
    after = edited(before)

    root = etree.fromstring(after.encode())
    found = {
        path: [each.text for each in root.findall(path.replace("/", "/{*}").replace("?", "{*}"))]
        for path in ("?servers/server/id", "?servers/server/password", "?activeProfiles/activeProfile",
                     "?profiles/profile/repositories/repository/url",
                     "?profiles/profile/pluginRepositories/pluginRepository/url")
    }  # fmt: skip
    ours = found["?servers/server/id"].index("packyard")
    assert found["?servers/server/password"][ours] == GRANT.token
    assert found["?activeProfiles/activeProfile"] == ["packyard"]
    assert found["?profiles/profile/repositories/repository/url"] == [GRANT.endpoint]
    assert found["?profiles/profile/pluginRepositories/pluginRepository/url"] == [GRANT.endpoint]
    assert len({etree.QName(each).namespace for each in root.iter("*")}) == 1


def test_the_rest_of_the_settings_stays() -> None:
    after = edited(THEIRS)

    for line in ("<!-- mine -->", "<!-- keep -->", "<localRepository>/m2</localRepository>", "theirs"):
        assert line in after
    assert "old" not in after


def test_another_login_changes_the_token_alone() -> None:
    once = edited(THEIRS)

    assert edited(once) == once
    again = edited(once, OTHER)
    assert again == once.replace(GRANT.token, OTHER.token).replace(GRANT.endpoint, OTHER.endpoint)


@pytest.mark.parametrize("text", ["<settings>", "no xml", "<project/>", "<settings></settings><settings/>"])
def test_what_maven_would_not_read_is_left_alone(text: str) -> None:
    with pytest.raises(Malformed):
        edited(text)


def test_gradle_has_an_init_script_of_its_own() -> None:
    (edit,) = java.gradle(Place(Path("/home/me"), {"GRADLE_USER_HOME": "~/g"}), GRANT, "")

    text = edit.edit("anything")

    assert edit.path == Path("/home/me/g/init.d/packyard.gradle")
    assert f"url = '{GRANT.endpoint}'" in text
    assert f"password = '{GRANT.token}'" in text
    assert "allowInsecureProtocol = true" in text
    assert "allowInsecureProtocol = false" in java.gradle(Place(Path("/h"), {}), OTHER, "")[0].edit("")


def test_sbt_has_a_resolver_and_credentials_by_host() -> None:
    (edit,) = java.sbt(Place(Path("/home/me"), {}), GRANT, "")

    assert edit.path == Path("/home/me/.sbt/1.0/packyard.sbt")
    assert f'Credentials("packyard", "127.0.0.1", "aws", "{GRANT.token}")' in edit.edit("")
    assert "withAllowInsecureProtocol" not in java.sbt(Place(Path("/h"), {}), OTHER, "")[0].edit("")
