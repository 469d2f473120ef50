"""Repositories, packages and clients of the chapters of the guide, on a pair of real servers.

`Town.repo` makes repositories; `npm` and `pypi` speak to one of them as clients do; `back` is the public
registry that the external connections lead to.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.core.types import AccessKey, Event, User
from registry.identity.secrets import Secrets, master_key
from tests.clients.sandbox import Home, tool
from tests.harness import ACCOUNT, Answer, Server
from tests.samples import npm as npm_samples
from tests.samples import pypi as pypi_samples
from tests.samples.pypi import Project

SIMPLE = "application/vnd.pypi.simple.v1+json"
_numbers = itertools.count(1)


@dataclass
class Npm:
    """The npm endpoint of one repository, as a client uses it."""

    server: Server
    repo: str
    domain: str = "dom"
    token: str = ""

    def __post_init__(self) -> None:
        self.token = self.token or self.server.token(self.domain)
        self.endpoint = self.server.endpoint("npm", self.repo, self.domain)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        credentials = {"Authorization": f"Bearer {self.token}"}
        return self.server.request(method, self.endpoint + path, body=sent, headers={**credentials, **headers})

    def publish(self, name: str, version: str = "1.0.0", *, tag: str = "latest", **manifest: Any) -> Answer:
        return self.send(npm_samples.Publish(name, version, tag, manifest=manifest))

    def send(self, publish: npm_samples.Publish) -> Answer:
        return self("PUT", publish.name.replace("/", "%2f"), publish.body(), **{"Content-Type": "application/json"})

    def packument(self, name: str) -> Any:
        answer = self("GET", name.replace("/", "%2f"))
        assert answer.status == 200, answer.text
        return answer.json()

    def versions(self, name: str) -> list[str]:
        """As `npm view NAME versions` prints them; none for an unknown package."""
        answer = self("GET", name.replace("/", "%2f"))
        assert answer.status in (200, 404), answer.text
        return list(answer.json()["versions"]) if answer.status == 200 else []

    def tags(self, name: str) -> dict[str, str]:
        answer = self("GET", f"-/package/{name.replace('/', '%2f')}/dist-tags")
        assert answer.status == 200, answer.text
        found: dict[str, str] = answer.json()
        return found

    def tag(self, name: str, tag: str, version: str) -> None:
        answer = self("PUT", f"-/package/{name.replace('/', '%2f')}/dist-tags/{tag}", version)
        assert answer.status in (200, 201), answer.text

    def fetch(self, name: str, version: str = "1.0.0") -> Answer:
        """The tarball, as a lock file names it."""
        return self("GET", f"{name}/-/{name.rpartition('/')[2]}-{version}.tgz")


@dataclass
class Pypi:
    """The PyPI endpoint of one repository, as a client uses it."""

    server: Server
    repo: str
    domain: str = "dom"
    token: str = ""

    def __post_init__(self) -> None:
        self.token = self.token or self.server.token(self.domain)
        self.endpoint = self.server.endpoint("pypi", self.repo, self.domain)

    def upload(self, project: Project, filename: str, body: bytes) -> Answer:
        kind, form = pypi_samples.upload(project, filename, body)
        return self.server.request("POST", self.endpoint, body=form, headers={"Content-Type": kind}, token=self.token)

    def publish(self, name: str, version: str = "1.0.0", tag: str = "py3-none-any", **more: Any) -> Answer:
        """A wheel."""
        project = Project(name=name, version=version, **more)
        return self.upload(project, *pypi_samples.wheel(project, tag))

    def page(self, name: str) -> Answer:
        return self.server.get(f"{self.endpoint}simple/{name}/", token=self.token, headers={"Accept": SIMPLE})

    def files(self, name: str) -> dict[str, Any]:
        """What the index page lists; nothing for an unknown project."""
        answer = self.page(name)
        assert answer.status in (200, 404), answer.text
        return {each["filename"]: each for each in answer.json()["files"]} if answer.status == 200 else {}

    def fetch(self, name: str, version: str, filename: str) -> Answer:
        answer = self.server.get(f"{self.endpoint}simple/{name}/{version}/{filename}", token=self.token)
        settle(self.server)
        return answer

    def yank(self, name: str, version: str, query: str) -> Answer:
        return self.server.request("POST", f"{self.endpoint}simple/{name}/{version}/?{query}", token=self.token)


def settle(server: Server) -> None:
    """Wait for what goes on with nobody waiting: further files of a version, marks."""
    idle = server.app.services.resolver.idle()  # type: ignore[attr-defined]
    asyncio.run_coroutine_threadsafe(idle, server.loop).result(20)


def wheel_name(name: str, version: str = "1.0.0", tag: str = "py3-none-any") -> str:
    return f"{name.replace('-', '_')}-{version}-{tag}.whl"


@dataclass
class Town:
    """`front`, domain `dom`; `back`, domain `pub` with repository `main`, plays the public registries."""

    front: Server
    back: Server
    number: int = 0
    made: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.number = next(_numbers)
        self.aws = self.front.boto()
        self.public = Npm(self.back, "main", "pub")
        self.index = Pypi(self.back, "main", "pub")

    # --- repositories ---------------------------------------------------------------------------

    def name(self, name: str) -> str:
        """A name that no other test has: of a repository or a package."""
        return f"{name}-{self.number}"

    def repo(self, name: str, *upstreams: str, connection: str | None = None) -> str:
        """A repository, named for this test; `upstreams` in order of priority, as they were given here."""
        full = self.name(name)
        self.aws.create_repository(
            domain="dom", repository=full, upstreams=[{"repositoryName": self.name(each)} for each in upstreams]
        )
        if connection is not None:
            self.aws.associate_external_connection(domain="dom", repository=full, externalConnection=connection)
        return full

    def upstreams(self, name: str, *upstreams: str) -> None:
        names = [{"repositoryName": self.name(each)} for each in upstreams]
        self.aws.update_repository(domain="dom", repository=self.name(name), upstreams=names)

    def npm(self, name: str, token: str = "") -> Npm:
        return Npm(self.front, self.name(name), token=token)

    def pypi(self, name: str, token: str = "") -> Pypi:
        return Pypi(self.front, self.name(name), token=token)

    # --- the API --------------------------------------------------------------------------------

    def at(self, repo: str, package: str, format: str = "npm") -> dict[str, str]:
        """The members that name a package in a request."""
        scope, _, bare = package.rpartition("/")
        found = {"domain": "dom", "repository": self.name(repo), "format": format, "package": bare}
        return {**found, "namespace": scope.removeprefix("@")} if scope else found

    def held(self, repo: str, package: str, format: str = "npm") -> dict[str, str]:
        """Version -> status of what the repository itself holds; nothing for an unknown package."""
        try:
            found = self.aws.list_package_versions(**self.at(repo, package, format))
        except self.aws.exceptions.ResourceNotFoundException:
            return {}
        return {each["version"]: each["status"] for each in found["versions"]}

    def assets(self, repo: str, package: str, version: str, format: str = "pypi") -> list[str]:
        found = self.aws.list_package_version_assets(**self.at(repo, package, format), packageVersion=version)
        return [each["name"] for each in found["assets"]]

    def controls(self, repo: str, package: str, format: str = "npm") -> tuple[str, str]:
        """(publish, upstream)."""
        found = self.aws.describe_package(**self.at(repo, package, format))["package"]
        restrictions = found["originConfiguration"]["restrictions"]
        return restrictions["publish"], restrictions["upstream"]

    def set_controls(self, repo: str, package: str, publish: str, upstream: str, format: str = "npm") -> None:
        self.aws.put_package_origin_configuration(
            **self.at(repo, package, format), restrictions={"publish": publish, "upstream": upstream}
        )

    def set_status(self, repo: str, package: str, version: str, status: str, format: str = "npm") -> None:
        if status == "Disposed":
            done = self.aws.dispose_package_versions(**self.at(repo, package, format), versions=[version])
        elif status == "Deleted":
            done = self.aws.delete_package_versions(**self.at(repo, package, format), versions=[version])
        else:
            done = self.aws.update_package_versions_status(
                **self.at(repo, package, format), versions=[version], targetStatus=status
            )
        assert not done["failedVersions"], done

    def copy(
        self, package: str, source: str, destination: str, *versions: str, format: str = "npm", **more: Any
    ) -> Any:
        return self.aws.copy_package_versions(
            **{key: value for key, value in self.at(source, package, format).items() if key != "repository"},
            sourceRepository=self.name(source),
            destinationRepository=self.name(destination),
            **({"versions": list(versions)} if versions else {}),
            **more,
        )

    def events(self, package: str) -> list[Mapping[str, Any]]:
        """The events of a package of this test, oldest first."""

        async def read() -> list[Event]:
            return await self.front.app.services.store.read(lambda tx: tx.outbox.take(0, 100_000))

        found = asyncio.run_coroutine_threadsafe(read(), self.front.loop).result(20)
        return [each.detail for each in found if each.detail["packageName"] == package]

    # --- callers --------------------------------------------------------------------------------

    def user(self, name: str, *statements: Mapping[str, Any]) -> Any:
        """A boto3 client of a new IAM user that may do this much."""
        return new_user(self.front, self.name(name), *statements)


def new_user(server: Server, name: str, *statements: Mapping[str, Any], account: str = ACCOUNT) -> Any:
    """A boto3 client of a new IAM user (made through the store: there is no API for it)."""
    access_key, secret = f"AKIA{name.upper().replace('-', '')}", f"the secret key of {name}"
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    sealed = Secrets(master_key(server.data / "keys", {})).seal(secret.encode(), access_key)

    async def work(tx: Any) -> None:
        await tx.identity.add_account(account, 0)
        await tx.identity.add_user(User(account, name, "/", f"AIDA{secrets.token_hex(8)}", 0))
        await tx.identity.add_key(AccessKey(access_key, account, name, sealed, active=True), 0)
        if statements:
            await tx.identity.put_policy(account, name, "own", document)

    asyncio.run_coroutine_threadsafe(server.app.services.store.write(work), server.loop).result(20)
    return server.boto(access_key=access_key, secret_key=secret)


# --- real clients ---------------------------------------------------------------------------------


def npm_client(folder: Path, shop: Npm, version: str = "npm11") -> Any:
    """npm, in a home of its own, set up for the repository."""
    binary = tool(f"{version}/node_modules/.bin/npm", or_path="npm")
    home = Home(folder)
    at = shop.endpoint.removeprefix("http:")
    (home.folder / ".npmrc").write_text(f"registry={shop.endpoint}\n{at}:_authToken={shop.token}\nfund=false\n")
    (home.work / "package.json").write_text('{"name": "consumer", "version": "0.0.0", "private": true}')
    return Client(home, [binary])


def pip_client(folder: Path, shop: Pypi) -> Any:
    """pip, in a home of its own, set up for the repository."""
    binary = tool("py/bin/pip")
    address = shop.endpoint.replace("http://", f"http://aws:{shop.token}@") + "simple/"
    target = str(folder / "target")
    extra = {"PIP_INDEX_URL": address, "PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INPUT": "1", "PIP_TARGET": target}
    return Client(Home(folder, extra), [binary])


@dataclass
class Client:
    """One client; what it says is both of its outputs."""

    home: Home
    command: list[str]

    def __call__(self, *arguments: str, ok: bool = True, cwd: Path | None = None) -> str:
        done = self.home.run([*self.command, *arguments], ok=ok, cwd=cwd)
        assert ok or done.returncode, f"{arguments} was expected to fail\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def installed(self, name: str) -> str:
        """The version of an npm package in the project."""
        text = (self.home.work / "node_modules" / name / "package.json").read_text()
        version: str = json.loads(text)["version"]
        return version
