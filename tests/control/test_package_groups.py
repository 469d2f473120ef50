"""Guide chapter "Working with package groups in CodeArtifact"."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from registry.control import model
from registry.core.groups import patterns
from registry.core.groups.administration import keep_keys
from registry.core.types import Quotas
from tests.control.plane import OWNER, Plane, start

model.load()  # as the server does before it starts
DOM = {"domain": "dom"}
KINDS = ("EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM", "PUBLISH")
ARN = f"arn:aws:codeartifact:us-west-2:{OWNER}:package-group/dom"


async def make(plane: Plane, *patterns: str) -> None:
    for pattern in patterns:
        await plane.call("CreatePackageGroup", **DOM, packageGroup=pattern)


async def configure(plane: Plane, pattern: str, **more: Any) -> dict[str, Any]:
    return await plane.call("UpdatePackageGroupOriginConfiguration", **DOM, packageGroup=pattern, **more)


async def describe(plane: Plane, pattern: str) -> dict[str, Any]:
    found = await plane.call("DescribePackageGroup", **DOM, packageGroup=pattern)
    return dict(found["packageGroup"])


def entries(kind: str, *names: str) -> list[dict[str, str]]:
    return [{"originRestrictionType": kind, "repositoryName": name} for name in names]


# --- create, describe, update, delete -------------------------------------------------------------


async def test_a_domain_comes_with_its_root_group(plane: Plane) -> None:
    root = await describe(plane, "/*")

    allow = {"mode": "ALLOW", "effectiveMode": "ALLOW", "repositoriesCount": 0}
    assert root.pop("createdTime")
    assert root == {
        "arn": f"{ARN}/%2a",
        "pattern": "/*",
        "domainName": "dom",
        "domainOwner": OWNER,
        "originConfiguration": {"restrictions": dict.fromkeys(KINDS, allow)},
    }
    for operation, why in (("DeletePackageGroup", "cannot be deleted"), ("CreatePackageGroup", "already")):
        answer = await plane.ask(operation, **DOM, packageGroup="/*")
        assert why in answer.message
    changed = await plane.call("UpdatePackageGroup", **DOM, packageGroup="/*", description="all")
    assert changed["packageGroup"]["description"] == "all"
    inherits = await plane.ask(
        "UpdatePackageGroupOriginConfiguration", **DOM, packageGroup="/*", restrictions={"PUBLISH": "INHERIT"}
    )
    assert (inherits.code, "no parent" in inherits.message) == ("ValidationException", True)


async def test_a_new_group_inherits_everything(plane: Plane) -> None:
    made = await plane.call(
        "CreatePackageGroup",
        **DOM,
        domainOwner=OWNER,
        packageGroup="/nuget/*",
        contactInfo="contact@email.com",
        description="a new package group",
        tags=[{"key": "key1", "value": "value1"}],
    )

    root = {"arn": f"{ARN}/%2a", "pattern": "/*"}
    inherit = {"mode": "INHERIT", "effectiveMode": "ALLOW", "inheritedFrom": root, "repositoriesCount": 0}
    group = made["packageGroup"]
    assert group == await describe(plane, "/nuget/*")
    assert group["originConfiguration"] == {"restrictions": dict.fromkeys(KINDS, inherit)}
    assert (group["arn"], group["parent"]) == (f"{ARN}/nuget/%2a", root)
    assert (group["contactInfo"], group["description"]) == ("contact@email.com", "a new package group")
    tags = await plane.call("ListTagsForResource", resourceArn=group["arn"])
    assert tags == {"tags": [{"key": "key1", "value": "value1"}]}


async def test_an_update_leaves_what_is_omitted(plane: Plane) -> None:
    await plane.call("CreatePackageGroup", **DOM, packageGroup="/npm/*", contactInfo="a", description="b")

    await plane.call("UpdatePackageGroup", **DOM, packageGroup="/npm/*", contactInfo="c")
    group = await describe(plane, "/npm/*")
    assert (group["contactInfo"], group["description"]) == ("c", "b")
    await plane.call("UpdatePackageGroup", **DOM, packageGroup="/npm/*", description="")
    assert "description" not in await describe(plane, "/npm/*")


async def test_patterns_that_differ_by_case_are_groups_of_their_own(plane: Plane) -> None:
    patterns = ["/npm//AsyncStorage$", "/npm//asyncStorage$", "/npm//asyncstorage$"]
    await make(plane, *patterns)

    for name in ("AsyncStorage", "asyncStorage", "asyncstorage"):
        found = await plane.call("GetAssociatedPackageGroup", **DOM, format="npm", package=name)
        assert (found["packageGroup"]["pattern"], found["associationType"]) == (f"/npm//{name}$", "STRONG")
    again = await plane.ask("CreatePackageGroup", **DOM, packageGroup=patterns[0])
    assert (again.status, again.code, again.parsed["resourceId"]) == (409, "ConflictException", patterns[0])


async def test_deleting_a_group_hands_its_children_to_its_parent(plane: Plane) -> None:
    await make(plane, "/npm/*", "/npm/space/*", "/npm/space/ui~")
    await configure(plane, "/npm/space/*", restrictions={"PUBLISH": "BLOCK"})
    arn = (await describe(plane, "/npm/space/*"))["arn"]
    await plane.call("TagResource", resourceArn=arn, tags=[{"key": "k", "value": "v"}])
    assert (await describe(plane, "/npm/space/ui~"))["parent"]["pattern"] == "/npm/space/*"

    deleted = await plane.call("DeletePackageGroup", **DOM, packageGroup="/npm/space/*")

    assert deleted["packageGroup"]["pattern"] == "/npm/space/*"
    child = await describe(plane, "/npm/space/ui~")
    assert child["parent"]["pattern"] == "/npm/*"
    assert child["originConfiguration"]["restrictions"]["PUBLISH"]["effectiveMode"] == "ALLOW"
    gone = await plane.ask("DescribePackageGroup", **DOM, packageGroup="/npm/space/*")
    assert (gone.status, gone.parsed["resourceId"]) == (404, "/npm/space/*")
    assert (await plane.ask("ListTagsForResource", resourceArn=arn)).status == 404
    await make(plane, "/npm/space/*")
    assert await plane.call("ListTagsForResource", resourceArn=arn) == {"tags": []}


async def test_groups_go_with_their_domain(bare: Plane) -> None:
    for domain in ("dom", "do", "d_m"):
        await bare.call("CreateDomain", domain=domain)
        made = await bare.call(
            "CreatePackageGroup", domain=domain, packageGroup="/npm/*", tags=[{"key": "k", "value": domain}]
        )
    arn = made["packageGroup"]["arn"]
    await bare.call("DeleteDomain", domain="d_m")
    assert (await bare.ask("ListTagsForResource", resourceArn=arn)).status == 404

    await bare.call("CreateDomain", domain="d_m")
    await bare.call("CreatePackageGroup", domain="d_m", packageGroup="/npm/*")

    assert await bare.call("ListTagsForResource", resourceArn=arn) == {"tags": []}
    kept = await bare.call("ListTagsForResource", resourceArn=arn.replace("d_m", "dom"))
    assert kept == {"tags": [{"key": "k", "value": "dom"}]}


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("DescribePackageGroup", {}),
        ("UpdatePackageGroup", {}),
        ("UpdatePackageGroupOriginConfiguration", {}),
        ("DeletePackageGroup", {}),
        ("ListSubPackageGroups", {}),
        ("ListAllowedRepositoriesForGroup", {"originRestrictionType": "PUBLISH"}),
        ("ListAssociatedPackages", {}),
    ],
)
async def test_every_operation_on_a_group_fails_as_the_model_says(
    plane: Plane, operation: str, more: dict[str, Any]
) -> None:
    async def code(user: str = "admin", **params: Any) -> str:
        return (await plane.ask(operation, user, **{**DOM, "packageGroup": "/npm/*", **more, **params})).code

    assert await code() == "ResourceNotFoundException"
    assert await code(domain="none") == "ResourceNotFoundException"
    assert await code(packageGroup="npm") == "ValidationException"
    assert await code("nobody") == "AccessDeniedException"
    assert await code("stranger", domainOwner=OWNER) == "ResourceNotFoundException"


async def test_creating_fails_as_the_model_says(plane: Plane) -> None:
    async def code(user: str = "admin", **params: Any) -> str:
        return (await plane.ask("CreatePackageGroup", user, **{**DOM, "packageGroup": "/npm/*", **params})).code

    assert await code(packageGroup="/npm/foo bar/*") == "ValidationException"
    assert await code(packageGroup="/rpm/*") == "ValidationException"
    assert await code(packageGroup="/pypi//Foo$") == "ValidationException"
    assert await code(tags=[{"key": "aws:x", "value": ""}]) == "ValidationException"
    assert await code(tags=[{"key": f"k{n}", "value": ""} for n in range(51)]) == "ServiceQuotaExceededException"
    assert await code(domain="none") == "ResourceNotFoundException"
    assert await code("nobody") == "AccessDeniedException"
    assert await code(contactInfo="c" * 1001) == "ValidationException"


@pytest.fixture
async def tight(tmp_path: Path) -> AsyncIterator[Plane]:
    async for plane in start(tmp_path, Quotas(package_groups_per_domain=2, allowed_repositories_per_group=1)):
        await plane.call("CreateDomain", domain="dom")
        for name in ("one", "two"):
            await plane.call("CreateRepository", domain="dom", repository=name)
        yield plane


async def test_groups_and_lists_have_quotas(tight: Plane) -> None:
    await make(tight, "/npm/*", "/pypi/*")

    third = await tight.ask("CreatePackageGroup", **DOM, packageGroup="/generic/*")
    assert third.code == "ServiceQuotaExceededException"
    assert (await tight.ask("CreatePackageGroup", **DOM, packageGroup="/npm/*")).code == "ConflictException"
    both = {"restrictions": {"PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES"}}
    answer = await tight.ask(
        "UpdatePackageGroupOriginConfiguration",
        **DOM,
        packageGroup="/npm/*",
        **both,
        addAllowedRepositories=entries("PUBLISH", "one", "two"),
    )
    assert answer.code == "ServiceQuotaExceededException"
    mode = (await describe(tight, "/npm/*"))["originConfiguration"]["restrictions"]["PUBLISH"]["mode"]
    assert mode == "INHERIT"  # nothing was changed


# --- origin configuration -------------------------------------------------------------------------


async def test_lists_of_allowed_repositories_come_and_go_with_their_mode(plane: Plane) -> None:
    await make(plane, "/npm/*", "/npm/space/*")
    for name in ("my-repo", "my-repo2"):
        await plane.call("CreateRepository", **DOM, repository=name)

    done = await configure(
        plane,
        "/npm/*",
        restrictions={"INTERNAL_UPSTREAM": "ALLOW_SPECIFIC_REPOSITORIES"},
        addAllowedRepositories=entries("INTERNAL_UPSTREAM", "my-repo"),
        removeAllowedRepositories=entries("INTERNAL_UPSTREAM", "my-repo2"),
    )

    assert done["allowedRepositoryUpdates"] == {"INTERNAL_UPSTREAM": {"ADDED": ["my-repo"]}}
    assert done["packageGroup"]["originConfiguration"]["restrictions"]["INTERNAL_UPSTREAM"] == {
        "mode": "ALLOW_SPECIFIC_REPOSITORIES",
        "effectiveMode": "ALLOW_SPECIFIC_REPOSITORIES",
        "repositoriesCount": 1,
    }
    done = await configure(
        plane,
        "/npm/*",
        addAllowedRepositories=entries("INTERNAL_UPSTREAM", "my-repo2", "repo"),
        removeAllowedRepositories=entries("INTERNAL_UPSTREAM", "my-repo"),
    )
    assert done["allowedRepositoryUpdates"] == {
        "INTERNAL_UPSTREAM": {"ADDED": ["my-repo2", "repo"], "REMOVED": ["my-repo"]}
    }
    # The list is its children's, too.
    child = (await describe(plane, "/npm/space/*"))["originConfiguration"]["restrictions"]["INTERNAL_UPSTREAM"]
    assert (child["effectiveMode"], child["repositoriesCount"]) == ("ALLOW_SPECIFIC_REPOSITORIES", 2)
    assert child["inheritedFrom"]["pattern"] == "/npm/*"
    names = {"packageGroup": "/npm/space/*", "originRestrictionType": "INTERNAL_UPSTREAM", **DOM}
    first = await plane.call("ListAllowedRepositoriesForGroup", **names, maxResults=1)
    rest = await plane.call("ListAllowedRepositoriesForGroup", **names, nextToken=first["nextToken"])
    assert (first["allowedRepositories"], rest) == (["my-repo2"], {"allowedRepositories": ["repo"]})
    # A repository that goes leaves the list; one of the same name made later is another.
    await plane.call("DeleteRepository", **DOM, repository="repo")
    await plane.call("CreateRepository", **DOM, repository="repo")
    assert (await plane.call("ListAllowedRepositoriesForGroup", **names))["allowedRepositories"] == ["my-repo2"]
    done = await configure(plane, "/npm/*", restrictions={"INTERNAL_UPSTREAM": "BLOCK"})
    assert done["allowedRepositoryUpdates"] == {"INTERNAL_UPSTREAM": {"REMOVED": ["my-repo2"]}}
    assert (await plane.call("ListAllowedRepositoriesForGroup", **names))["allowedRepositories"] == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"addAllowedRepositories": entries("PUBLISH", "repo")}, "ValidationException"),
        (
            {"restrictions": {"PUBLISH": "BLOCK"}, "addAllowedRepositories": entries("PUBLISH", "repo")},
            "ValidationException",
        ),
        (
            {
                "restrictions": {"PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES"},
                "addAllowedRepositories": entries("PUBLISH", "none"),
            },
            "ResourceNotFoundException",
        ),
        (
            {
                "restrictions": {"PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES"},
                "addAllowedRepositories": [{"repositoryName": "repo"}],
            },
            "ValidationException",
        ),
        ({"restrictions": {"PUBLISH": "MAYBE"}}, "ValidationException"),
        ({"restrictions": {"UPSTREAM": "BLOCK"}}, "ValidationException"),
    ],
)
async def test_what_an_origin_configuration_cannot_be(plane: Plane, more: dict[str, Any], code: str) -> None:
    await make(plane, "/npm/*")

    answer = await plane.ask("UpdatePackageGroupOriginConfiguration", **DOM, packageGroup="/npm/*", **more)

    assert answer.code == code
    assert (await describe(plane, "/npm/*"))["originConfiguration"]["restrictions"]["PUBLISH"]["mode"] == "INHERIT"


async def test_what_is_added_and_removed_at_once_is_not_on_the_list(plane: Plane) -> None:
    """Guide, "Editing package group origin control settings", the example with multiple restrictions."""
    await make(plane, "/nuget/*")
    for name in ("my_repo", "my_repo2"):
        await plane.call("CreateRepository", **DOM, repository=name)

    done = await configure(
        plane,
        "/nuget/*",
        restrictions={
            "PUBLISH": "BLOCK",
            "EXTERNAL_UPSTREAM": "ALLOW_SPECIFIC_REPOSITORIES",
            "INTERNAL_UPSTREAM": "ALLOW_SPECIFIC_REPOSITORIES",
        },
        addAllowedRepositories=entries("INTERNAL_UPSTREAM", "my_repo", "my_repo2"),
        removeAllowedRepositories=entries("INTERNAL_UPSTREAM", "my_repo2"),
    )

    assert done["allowedRepositoryUpdates"] == {"INTERNAL_UPSTREAM": {"ADDED": ["my_repo"]}}
    found = done["packageGroup"]["originConfiguration"]["restrictions"]
    assert {kind: each["repositoriesCount"] for kind, each in found.items()} == {
        "EXTERNAL_UPSTREAM": 0,
        "INTERNAL_UPSTREAM": 1,
        "PUBLISH": 0,
    }


async def test_each_restriction_is_inherited_by_itself(plane: Plane) -> None:
    await make(plane, "/npm/*", "/npm/space/*", "/npm/space/ui~")
    await configure(plane, "/*", restrictions={"PUBLISH": "BLOCK"})
    await configure(plane, "/npm/*", restrictions={"EXTERNAL_UPSTREAM": "BLOCK"})
    await configure(plane, "/npm/space/*", restrictions={"PUBLISH": "ALLOW"})

    found = (await describe(plane, "/npm/space/ui~"))["originConfiguration"]["restrictions"]

    assert {kind: (each["effectiveMode"], each["inheritedFrom"]["pattern"]) for kind, each in found.items()} == {
        "EXTERNAL_UPSTREAM": ("BLOCK", "/npm/*"),
        "INTERNAL_UPSTREAM": ("ALLOW", "/*"),
        "PUBLISH": ("ALLOW", "/npm/space/*"),
    }


# --- lists ----------------------------------------------------------------------------------------


async def test_groups_are_listed_by_pattern_and_prefix(plane: Plane) -> None:
    await make(plane, "/npm/space/*", "/npm/*", "/pypi/*", "/npm/space/ui~", "/npm//react$")

    async def patterns(operation: str = "ListPackageGroups", **more: Any) -> list[str]:
        found, token = [], {}
        while True:
            page = await plane.call(operation, **DOM, **more, **token, maxResults=2)
            found += [each["pattern"] for each in page["packageGroups"]]
            if "nextToken" not in page:
                return found
            token = {"nextToken": page["nextToken"]}

    assert await patterns() == ["/*", "/npm/*", "/npm//react$", "/npm/space/*", "/npm/space/ui~", "/pypi/*"]
    assert await patterns(prefix="/npm/s") == ["/npm/space/*", "/npm/space/ui~"]
    assert await patterns(prefix="/x") == []
    assert await patterns("ListSubPackageGroups", packageGroup="/*") == ["/npm/*", "/pypi/*"]
    assert await patterns("ListSubPackageGroups", packageGroup="/npm/*") == ["/npm//react$", "/npm/space/*"]
    assert await patterns("ListSubPackageGroups", packageGroup="/npm/space/ui~") == []
    page = await plane.call("ListPackageGroups", **DOM, maxResults=2)
    stolen = await plane.ask("ListPackageGroups", **DOM, prefix="/npm", nextToken=page["nextToken"])
    assert stolen.code == "ValidationException"
    assert (await plane.ask("ListPackageGroups", domain="none")).code == "ResourceNotFoundException"


async def test_packages_belong_to_the_most_specific_group(plane: Plane) -> None:
    await plane.call("CreateRepository", **DOM, repository="other")
    await make(plane, "/npm//async~")
    for name in ("react", "async", "Async-lib", "asynchrony"):
        await plane.publish("repo", name, "1.0.0") if name != "Async-lib" else None
    await plane.publish("other", "react", "1.0.0")
    await plane.publish("repo", "core", "1.0.0", namespace="space")
    await plane.publish("repo", "flask", "1.0", format="pypi")

    async def listed(pattern: str, **more: Any) -> list[tuple[str, str]]:
        found = await plane.call("ListAssociatedPackages", **DOM, packageGroup=pattern, **more)
        return [
            (each.get("namespace", "") + "/" + each["package"], each["associationType"]) for each in found["packages"]
        ]

    assert await listed("/npm//async~") == [("/async", "STRONG")]
    everything = [("/asynchrony", "STRONG"), ("/react", "STRONG"), ("space/core", "STRONG"), ("/flask", "STRONG")]
    assert await listed("/*") == everything
    first = await plane.call("ListAssociatedPackages", **DOM, packageGroup="/*", maxResults=1)
    assert await listed("/*", nextToken=first["nextToken"]) == everything[1:]
    # What would belong to a group that is not there yet.
    assert (await plane.ask("ListAssociatedPackages", **DOM, packageGroup="/npm//RE*")).code.startswith("ResourceNot")
    assert await listed("/npm//RE*", preview=True) == [("/react", "WEAK")]
    assert await listed("/npm/*", preview=True) == everything[:3]
    assert await listed("/npm//async~", preview=True) == [("/async", "STRONG")]
    assert (await plane.ask("ListAssociatedPackages", **DOM, packageGroup="/pypi//A$", preview=True)).status == 400


async def test_the_group_of_a_package_that_is_nowhere(plane: Plane) -> None:
    await make(plane, "/npm/space/foo~", "/pypi//my-package$", "/maven/com.anycompany~")

    async def group(**package: str) -> tuple[str, str]:
        found = await plane.call("GetAssociatedPackageGroup", **DOM, **package)
        return found["packageGroup"]["pattern"], found["associationType"]

    assert await group(format="npm", namespace="space", package="foo-bar") == ("/npm/space/foo~", "STRONG")
    assert await group(format="npm", namespace="Space", package="foo_bar") == ("/npm/space/foo~", "WEAK")
    assert await group(format="npm", namespace="space", package="fоо") == ("/npm/space/foo~", "WEAK")  # Cyrillic
    assert await group(format="npm", namespace="space", package="food") == ("/*", "STRONG")
    assert await group(format="pypi", package="my-package") == ("/pypi//my-package$", "STRONG")
    assert await group(format="maven", namespace="com.anycompany.x", package="y") == (
        "/maven/com.anycompany~",
        "STRONG",
    )
    for name in ("é\0", "\0", "x y"):
        answer = await plane.ask("GetAssociatedPackageGroup", **DOM, format="npm", package=name)
        assert answer.code == "ValidationException", name
    assert (await plane.ask("DeletePackageGroup", **DOM, packageGroup="/npm/\0*")).code == "ValidationException"
    absent = await plane.ask("GetAssociatedPackageGroup", domain="none", format="npm", package="x")
    assert absent.code == "ResourceNotFoundException"
    refused = await plane.ask("GetAssociatedPackageGroup", "nobody", **DOM, format="npm", package="x")
    assert refused.code == "AccessDeniedException"


# --- permissions ----------------------------------------------------------------------------------


async def test_rights_are_on_the_encoded_name_of_the_group(plane: Plane) -> None:
    def statement(resource: str, *actions: str) -> dict[str, Any]:
        return {"Effect": "Allow", "Action": [f"codeartifact:{each}" for each in actions], "Resource": resource}

    document = {
        "Version": "2012-10-17",
        "Statement": [
            statement(f"{ARN}/npm/%2a", "CreatePackageGroup", "DescribePackageGroup"),
            statement(f"arn:aws:codeartifact:us-west-2:{OWNER}:domain/dom", "ListPackageGroups"),
        ],
    }
    await plane.user("keeper", document=json.dumps(document))

    async def status(operation: str, **params: Any) -> int:
        return (await plane.ask(operation, "keeper", **DOM, **params)).status

    assert await status("CreatePackageGroup", packageGroup="/npm/*") == 200
    assert await status("DescribePackageGroup", packageGroup="/npm/*") == 200
    assert await status("CreatePackageGroup", packageGroup="/npm/space/*") == 403
    assert await status("DescribePackageGroup", packageGroup="/*") == 403
    assert await status("DeletePackageGroup", packageGroup="/npm/*") == 403
    assert await status("ListPackageGroups") == 200
    tags = [{"key": "k", "value": "v"}]
    await plane.call("DeletePackageGroup", **DOM, packageGroup="/npm/*")
    assert await status("CreatePackageGroup", packageGroup="/npm/*", tags=tags) == 403  # needs TagResource too


async def test_other_tables_of_unicode_make_the_keys_anew(plane: Plane) -> None:
    await make(plane, "/npm//paypal$")
    store = plane.services.store

    async def spoil(tx: Any) -> None:
        group = await tx.groups.get((await tx.domains.page(OWNER, None, 1))[0].id, "/npm//paypal$")
        await tx.groups.rekey(group.id, ["made by another library"])
        await tx.groups.keyed("another")

    async def found() -> list[str]:
        async def work(tx: Any) -> list[Any]:
            domain = (await tx.domains.page(OWNER, None, 1))[0]
            return list(await tx.groups.under(domain.id, tuple(patterns.keys("npm", "", "PayPal"))))

        return [each.pattern for each in await store.read(work) if each.pattern != "/*"]

    await store.write(spoil)
    assert await found() == []

    await keep_keys(store)

    assert await found() == ["/npm//paypal$"]
    await keep_keys(store)  # nothing to do
