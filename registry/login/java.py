"""What Maven, Gradle and sbt read, and what a login puts there.

None of the three has one place that says where everything comes from, so the repository joins those that a project
names; a user who wants no other says so (the hints tell how).
"""

from __future__ import annotations

from registry.login.changes import Edit, Place
from registry.login.session import Grant
from registry.login.settingsxml import Settings

NAME = "packyard"
_REALM = "packyard"


def maven(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """~/.m2/settings.xml: a server with the token, and an active profile with the repository, for plug-ins too."""

    def edit(text: str) -> str:
        settings = Settings(text)
        server = settings.entry(settings.section("servers"), "server", NAME)
        settings.text(server, "username", "aws")
        settings.text(server, "password", grant.token)
        profile = settings.entry(settings.section("profiles"), "profile", NAME)
        for listed, each in (("repositories", "repository"), ("pluginRepositories", "pluginRepository")):
            repository = settings.child(settings.child(profile, listed), each)
            settings.text(repository, "id", NAME)
            settings.text(repository, "url", grant.endpoint)
        settings.listed(settings.section("activeProfiles"), "activeProfile", NAME)
        return settings.written()

    return [Edit(place.home / ".m2" / "settings.xml", edit)]


_INIT = """\
// Written by packyard login; written anew by the next one.
def packyard = {{ repositories ->
    repositories.maven {{
        name = '{name}'
        url = '{endpoint}'
        if (it.hasProperty('allowInsecureProtocol')) {{ allowInsecureProtocol = {insecure} }}
        credentials {{
            username = 'aws'
            password = '{token}'
        }}
    }}
}}
settingsEvaluated {{ settings ->
    packyard(settings.pluginManagement.repositories)
    settings.pluginManagement.repositories.gradlePluginPortal()
    def mode = null
    if (settings.hasProperty('dependencyResolutionManagement')) {{
        mode = settings.dependencyResolutionManagement.repositoriesMode.getOrNull()?.name()
    }}
    if (mode in ['FAIL_ON_PROJECT_REPOS', 'PREFER_SETTINGS']) {{
        packyard(settings.dependencyResolutionManagement.repositories)
    }} else {{
        gradle.allprojects {{ packyard(it.repositories) }}
    }}
}}
allprojects {{
    plugins.withId('maven-publish') {{ packyard(publishing.repositories) }}
}}
"""


def gradle(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """An init script of its own in ~/.gradle/init.d: every project's repositories, its plug-ins', its targets."""
    home = place.named("GRADLE_USER_HOME") or place.home / ".gradle"
    text = _INIT.format(
        name=NAME, endpoint=grant.endpoint, token=grant.token, insecure="false" if grant.secure else "true"
    )
    return [Edit(home / "init.d" / f"{NAME}.gradle", lambda _: text)]


def sbt(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """Global settings of sbt 1: a resolver, and credentials by realm and host, as sbt looks for them."""
    allowed = "" if grant.secure else ".withAllowInsecureProtocol(true)"
    text = (
        "// Written by packyard login; written anew by the next one.\n"
        f'resolvers += ("{NAME}" at "{grant.endpoint}"){allowed}\n'
        f'credentials += Credentials("{_REALM}", "{grant.host}", "aws", "{grant.token}")\n'
    )
    return [Edit(place.home / ".sbt" / "1.0" / f"{NAME}.sbt", lambda _: text)]
