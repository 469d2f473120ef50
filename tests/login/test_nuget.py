"""NuGet.Config: our source and its credentials are set, everything else stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.login import nuget
from registry.login.changes import Place
from registry.login.errors import Malformed
from registry.login.session import Grant

GRANT = Grant(
    "http://127.0.0.1:8080/nuget/d/my-dom-111122223333/my.repo/", "py1.tok~en", datetime(2026, 1, 1, tzinfo=UTC)
)
FRESH = """<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <packageSources>
    <add key="my-dom/my.repo" value="http://127.0.0.1:8080/nuget/d/my-dom-111122223333/my.repo/v3/index.json" \
protocolVersion="3" allowInsecureConnections="true"/>
  </packageSources>
  <packageSourceCredentials>
    <my-dom_x002F_my.repo>
      <add key="Username" value="aws"/>
      <add key="ClearTextPassword" value="py1.tok~en"/>
    </my-dom_x002F_my.repo>
  </packageSourceCredentials>
</configuration>
"""


def test_a_file_is_made_and_a_second_login_changes_only_the_token() -> None:
    made = nuget.put("", nuget.source(GRANT), GRANT)
    again = nuget.put(made, nuget.source(GRANT), replace(GRANT, token="py1.other"))

    assert made == FRESH
    assert again == FRESH.replace("py1.tok~en", "py1.other")


def test_everything_else_stays() -> None:
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n<configuration>\n  <!-- mine -->\n  <packageSources>\n    <clear />\n'
        '    <add key="old" value="http://old/" />\n    <add key="MY-DOM/my.repo" value="http://older/" />\n'
        '  </packageSources>\n  <config>\n    <add key="x" value="&lt;y&gt;" />\n  </config>\n</configuration>\n'
    )

    after = nuget.put(text, nuget.source(GRANT), replace(GRANT, endpoint=GRANT.endpoint.replace("http:", "https:")))

    kept = [line for line in text.splitlines() if "MY-DOM" not in line]
    assert [line for line in kept if line.replace(" />", "/>") not in after.replace(" />", "/>")] == []
    assert after.count("v3/index.json") == 1
    assert "older" not in after and "allowInsecureConnections" not in after


@pytest.mark.parametrize("text", ["nonsense", "<configuration>", "<other/>", "<configuration><a></b></configuration>"])
def test_what_is_no_configuration_is_left_alone(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        nuget.put(text, "a/b", GRANT)

    assert "nonsense" not in str(caught.value)


def test_each_tool_has_its_file() -> None:
    home = Path("/home/u")

    def paths(platform: str, **environ: str) -> list[str]:
        place = Place(home, environ, platform)
        return [str(tool(place, GRANT, "")[0].path) for tool in (nuget.nuget, nuget.dotnet)]

    assert paths("linux") == ["/home/u/.config/NuGet/NuGet.Config", "/home/u/.nuget/NuGet/NuGet.Config"]
    assert paths("linux", DOTNET_CLI_HOME="/x")[1] == "/x/.nuget/NuGet/NuGet.Config"
    assert paths("win32", APPDATA="/app") == ["/app/NuGet/NuGet.Config"] * 2


def test_names_are_those_that_the_aws_cli_gives_and_fit_into_elements() -> None:
    other = replace(GRANT, endpoint="https://dom-111122223333.d.codeartifact.us-west-2.example.com/nuget/repo/")

    assert (nuget.source(GRANT), nuget.source(other)) == ("my-dom/my.repo", "dom/repo")
    assert nuget.source(replace(GRANT, endpoint="https://example.com/x/")) == "packyard"
    made = nuget.put("", "1_x0041_a/b", GRANT)
    assert "<_x0031__x005F_x0041_a_x002F_b>" in made
