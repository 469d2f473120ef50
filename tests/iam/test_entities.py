"""Users, groups, keys, policies and roles over boto3: what IAM's reference says of each operation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.iam.conftest import Cloud, allow, deny, document, refused, trust

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def test_a_user_is_made_shown_renamed_and_deleted(cloud: Cloud) -> None:
    iam, name = cloud.iam, cloud.name("bob")
    made = iam.create_user(UserName=name, Path="/team/", Tags=[{"Key": "Team", "Value": "web"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{cloud.account}:user/team/{name}"
    assert made["UserId"].startswith("AIDA") and len(made["UserId"]) == 21
    assert iam.get_user(UserName=name)["User"] == made
    assert refused(iam.create_user, UserName=name.upper()) == ("EntityAlreadyExists", 409)

    iam.update_user(UserName=name, NewUserName=name + "2", NewPath="/")
    assert refused(iam.get_user, UserName=name) == ("NoSuchEntity", 404)
    renamed = iam.get_user(UserName=name + "2")["User"]
    assert (renamed["UserId"], renamed["Arn"]) == (made["UserId"], f"arn:aws:iam::{cloud.account}:user/{name}2")

    iam.delete_user(UserName=name + "2")
    assert refused(iam.delete_user, UserName=name + "2") == ("NoSuchEntity", 404)


def test_a_user_with_anything_left_is_not_deleted(cloud: Cloud) -> None:
    iam = cloud.iam
    name, keys = cloud.user(allow())
    group = cloud.name("group")
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=ADMINISTRATOR)

    for undo in (
        lambda: iam.detach_user_policy(UserName=name, PolicyArn=ADMINISTRATOR),
        lambda: iam.delete_user_policy(UserName=name, PolicyName="own"),
        lambda: iam.delete_access_key(UserName=name, AccessKeyId=keys[0]),
        lambda: iam.remove_user_from_group(GroupName=group, UserName=name),
    ):
        assert refused(iam.delete_user, UserName=name) == ("DeleteConflict", 409)
        undo()
    iam.delete_user(UserName=name)
    iam.delete_group(GroupName=group)


def test_lists_come_in_pages_that_neither_skip_nor_repeat(cloud: Cloud) -> None:
    iam = cloud.iam
    path = f"/{cloud.name('pages')}/"
    names = sorted(cloud.name("paged") for _ in range(7))
    for name in names:
        iam.create_user(UserName=name, Path=path)
    first = iam.list_users(PathPrefix=path, MaxItems=3)

    assert first["IsTruncated"] and len(first["Users"]) == 3
    pages = iam.get_paginator("list_users").paginate(PathPrefix=path, PaginationConfig={"PageSize": 2})
    assert sorted(user["UserName"] for page in pages for user in page["Users"]) == names
    assert refused(iam.list_users, PathPrefix="/", Marker=first["Marker"]) == ("ValidationError", 400)
    assert not iam.list_users(PathPrefix=path)["IsTruncated"]


def test_access_keys_are_two_at_most_and_stop_at_once(cloud: Cloud) -> None:
    iam = cloud.iam
    name, keys = cloud.user(allow("codeartifact:ListDomains"))
    second = iam.create_access_key(UserName=name)["AccessKey"]
    assert refused(iam.create_access_key, UserName=name) == ("LimitExceeded", 409)
    listed = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert {key["AccessKeyId"] for key in listed} == {keys[0], second["AccessKeyId"]}
    assert "SecretAccessKey" not in str(listed)

    mine = cloud.client("codeartifact", keys)
    mine.list_domains()
    used = iam.get_access_key_last_used(AccessKeyId=keys[0])
    assert used["UserName"] == name and used["AccessKeyLastUsed"]["ServiceName"] == "codeartifact"
    assert iam.get_access_key_last_used(AccessKeyId=second["AccessKeyId"])["AccessKeyLastUsed"]["ServiceName"] == "N/A"

    iam.update_access_key(UserName=name, AccessKeyId=keys[0], Status="Inactive")
    assert refused(mine.list_domains) == ("UnrecognizedClientException", 403)
    assert refused(cloud.client("sts", keys).get_caller_identity) == ("InvalidClientTokenId", 403)
    iam.update_access_key(UserName=name, AccessKeyId=keys[0], Status="Active")
    mine.list_domains()
    iam.delete_access_key(UserName=name, AccessKeyId=keys[0])
    assert refused(mine.list_domains) == ("UnrecognizedClientException", 403)
    assert refused(iam.delete_access_key, UserName=name, AccessKeyId=keys[0]) == ("NoSuchEntity", 404)


def test_groups_give_their_policies_to_their_members(cloud: Cloud) -> None:
    iam = cloud.iam
    name, keys = cloud.user()
    group = iam.create_group(GroupName=cloud.name("Developers"), Path="/eng/")["Group"]
    mine = cloud.client("codeartifact", keys)
    assert refused(mine.list_domains) == ("AccessDeniedException", 403)

    iam.add_user_to_group(GroupName=group["GroupName"], UserName=name)
    iam.put_group_policy(
        GroupName=group["GroupName"], PolicyName="p", PolicyDocument=document(allow("codeartifact:ListDomains"))
    )
    mine.list_domains()
    assert [user["UserName"] for user in iam.get_group(GroupName=group["GroupName"])["Users"]] == [name]
    assert iam.list_groups_for_user(UserName=name)["Groups"] == [group]
    assert group in iam.list_groups(PathPrefix="/eng/")["Groups"]

    iam.delete_group_policy(GroupName=group["GroupName"], PolicyName="p")
    iam.attach_group_policy(
        GroupName=group["GroupName"], PolicyArn="arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess"
    )
    mine.list_domains()
    assert refused(iam.delete_group, GroupName=group["GroupName"]) == ("DeleteConflict", 409)
    iam.remove_user_from_group(GroupName=group["GroupName"], UserName=name)
    assert refused(mine.list_domains) == ("AccessDeniedException", 403)
    assert refused(iam.remove_user_from_group, GroupName=group["GroupName"], UserName=name) == ("NoSuchEntity", 404)


def test_inline_policies_of_all_three_kinds(cloud: Cloud) -> None:
    iam = cloud.iam
    user, group = cloud.name("user"), cloud.name("group")
    iam.create_user(UserName=user)
    iam.create_group(GroupName=group)
    role = cloud.role(trust({"AWS": cloud.account}))["RoleName"]
    for kind, name in (("user", user), ("group", group), ("role", role)):
        who: dict[str, Any] = {f"{kind.title()}Name": name}
        put, get = getattr(iam, f"put_{kind}_policy"), getattr(iam, f"get_{kind}_policy")
        put(**who, PolicyName="b", PolicyDocument=document(allow()))
        put(**who, PolicyName="a", PolicyDocument=document(deny()))
        put(**who, PolicyName="b", PolicyDocument=document(deny("x:y")))

        assert getattr(iam, f"list_{kind}_policies")(**who)["PolicyNames"] == ["a", "b"]
        assert get(**who, PolicyName="b")["PolicyDocument"] == json.loads(document(deny("x:y")))
        bad = document(allow(Principal="*"))
        assert refused(put, **who, PolicyName="c", PolicyDocument=bad) == ("MalformedPolicyDocument", 400)
        big = document(*(allow(*(f"codeartifact:Get{n}{i}" for i in range(50))) for n in range(10)))
        assert refused(put, **who, PolicyName="c", PolicyDocument=big) == ("LimitExceeded", 409)
        getattr(iam, f"delete_{kind}_policy")(**who, PolicyName="b")
        assert refused(get, **who, PolicyName="b") == ("NoSuchEntity", 404)


def test_managed_policies_have_versions_of_which_one_counts(cloud: Cloud) -> None:
    iam = cloud.iam
    name, keys = cloud.user()
    policy = iam.create_policy(
        PolicyName=cloud.name("policy"), PolicyDocument=document(allow("codeartifact:ListDomains")), Description="d"
    )["Policy"]
    arn = policy["Arn"]
    assert (policy["DefaultVersionId"], policy["AttachmentCount"]) == ("v1", 0)
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    mine = cloud.client("codeartifact", keys)
    mine.list_domains()

    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(deny()))["PolicyVersion"]
    assert (version["VersionId"], version["IsDefaultVersion"]) == ("v2", False)
    mine.list_domains()
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert refused(mine.list_domains) == ("AccessDeniedException", 403)
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v2") == ("DeleteConflict", 409)
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"] == json.loads(
        document(deny())
    )
    assert [v["VersionId"] for v in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == ["v2", "v1"]
    assert refused(iam.get_policy_version, PolicyArn=arn, VersionId="v9") == ("NoSuchEntity", 404)

    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert [user["UserName"] for user in entities["PolicyUsers"]] == [name] and entities["PolicyRoles"] == []
    assert iam.list_attached_user_policies(UserName=name)["AttachedPolicies"] == [
        {"PolicyName": policy["PolicyName"], "PolicyArn": arn}
    ]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert refused(iam.delete_policy, PolicyArn=arn) == ("DeleteConflict", 409)
    iam.detach_user_policy(UserName=name, PolicyArn=arn)
    assert refused(iam.detach_user_policy, UserName=name, PolicyArn=arn) == ("NoSuchEntity", 404)
    assert refused(iam.delete_policy, PolicyArn=arn) == ("DeleteConflict", 409)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)
    assert refused(iam.get_policy, PolicyArn=arn) == ("NoSuchEntity", 404)


def test_the_servers_own_policies_are_read_and_not_changed(cloud: Cloud) -> None:
    iam = cloud.iam
    own = {policy["PolicyName"]: policy["Arn"] for policy in iam.list_policies(Scope="AWS")["Policies"]}
    assert {"AdministratorAccess", "AWSCodeArtifactAdminAccess", "AWSCodeArtifactReadOnlyAccess"} <= set(own)
    assert refused(iam.delete_policy, PolicyArn=ADMINISTRATOR) == ("AccessDenied", 403)
    new = {"PolicyArn": ADMINISTRATOR, "PolicyDocument": document(deny()), "SetAsDefault": True}
    assert refused(iam.create_policy_version, **new) == ("AccessDenied", 403)
    with_pages = iam.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": 1})
    listed = [policy["Arn"] for page in with_pages for policy in page["Policies"]]
    assert len(listed) == len(set(listed)) and set(own.values()) <= set(listed)


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "[]",
        '{"Version":"2012-10-17"}',
        '{"Version":"2020-01-01","Statement":[]}',
        document({"Effect": "Maybe", "Action": "*", "Resource": "*"}),
        document({"Effect": "Allow", "Action": "*"}),
        document({"Effect": "Allow", "Action": "nothing", "Resource": "*"}),
        document({"Effect": "Allow", "Action": "*", "Resource": "bucket"}),
        document({**allow(), "Condition": {"StringIs": {"aws:username": "x"}}}),
        document({**allow(), "Condition": {"DateLessThan": {"aws:CurrentTime": "soon"}}}),
        document({**allow(), "NotAction": "*"}),
    ],
)
def test_a_malformed_document_is_refused_with_its_reason(cloud: Cloud, bad: str) -> None:
    code = refused(cloud.iam.create_policy, PolicyName=cloud.name(), PolicyDocument=bad)

    assert code == ("MalformedPolicyDocument", 400)


def test_a_role_is_made_changed_and_deleted(cloud: Cloud) -> None:
    iam, name = cloud.iam, cloud.name("role")
    trusted = document(trust({"AWS": f"arn:aws:iam::{cloud.account}:root"}))
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=trusted, Description="d", MaxSessionDuration=7200, Path="/ci/",
        Tags=[{"Key": "a", "Value": "b"}],
    )["Role"]  # fmt: skip
    assert role["Arn"] == f"arn:aws:iam::{cloud.account}:role/ci/{name}" and role["RoleId"].startswith("AROA")
    shown = iam.get_role(RoleName=name)["Role"]
    assert shown["AssumeRolePolicyDocument"] == json.loads(trusted)
    assert (shown["MaxSessionDuration"], shown["Description"]) == (7200, "d")
    assert [each["RoleName"] for each in iam.list_roles(PathPrefix="/ci/")["Roles"] if each["RoleName"] == name]

    iam.update_role(RoleName=name, Description="e", MaxSessionDuration=3600)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=document(trust("*")))
    bad = document({**trust("*"), "Resource": "*"})
    put = iam.update_assume_role_policy
    assert refused(put, RoleName=name, PolicyDocument=bad) == ("MalformedPolicyDocument", 400)
    again = iam.get_role(RoleName=name)["Role"]
    assert again["Description"] == "e" and again["AssumeRolePolicyDocument"] == json.loads(document(trust("*")))

    iam.attach_role_policy(RoleName=name, PolicyArn=ADMINISTRATOR)
    assert refused(iam.delete_role, RoleName=name) == ("DeleteConflict", 409)
    iam.detach_role_policy(RoleName=name, PolicyArn=ADMINISTRATOR)
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    iam.delete_role(RoleName=name)
    assert refused(iam.get_role, RoleName=name) == ("NoSuchEntity", 404)


def test_tags_of_users_roles_and_policies(cloud: Cloud) -> None:
    iam = cloud.iam
    user, _ = cloud.user()
    role = cloud.role(trust("*"))["RoleName"]
    arn = iam.create_policy(PolicyName=cloud.name(), PolicyDocument=document(allow()))["Policy"]["Arn"]
    for kind, who in (("user", {"UserName": user}), ("role", {"RoleName": role}), ("policy", {"PolicyArn": arn})):
        tag, listed = getattr(iam, f"tag_{kind}"), getattr(iam, f"list_{kind}_tags")
        tag(**who, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
        tag(**who, Tags=[{"Key": "A", "Value": "2"}])
        assert listed(**who)["Tags"] == [{"Key": "A", "Value": "2"}, {"Key": "b", "Value": ""}]
        getattr(iam, f"untag_{kind}")(**who, TagKeys=["A", "none"])
        assert listed(**who)["Tags"] == [{"Key": "b", "Value": ""}]
        assert refused(tag, **who, Tags=[{"Key": "aws:x", "Value": ""}]) == ("InvalidInput", 400)
        many = [{"Key": f"k{n}", "Value": ""} for n in range(50)]
        assert refused(tag, **who, Tags=many) == ("LimitExceeded", 409)


def test_a_permissions_boundary_is_set_counted_and_taken_away(cloud: Cloud) -> None:
    iam = cloud.iam
    boundary = iam.create_policy(
        PolicyName=cloud.name("boundary"), PolicyDocument=document(allow("codeartifact:List*"))
    )["Policy"]["Arn"]
    name, keys = cloud.user(allow(), PermissionsBoundary=boundary)
    mine = cloud.client("codeartifact", keys)
    mine.list_domains()
    assert refused(mine.create_domain, domain="outside") == ("AccessDeniedException", 403)
    assert iam.get_user(UserName=name)["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert iam.get_policy(PolicyArn=boundary)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    assert refused(iam.delete_policy, PolicyArn=boundary) == ("DeleteConflict", 409)
    iam.delete_user_permissions_boundary(UserName=name)
    mine.create_domain(domain=cloud.name("inside"))
    none = f"arn:aws:iam::{cloud.account}:policy/none"
    put = iam.put_user_permissions_boundary
    assert refused(put, UserName=name, PermissionsBoundary=none) == ("NoSuchEntity", 404)


def test_accounts_do_not_see_each_other(cloud: Cloud) -> None:
    name, _ = cloud.user()
    theirs = cloud.client("iam", cloud.other)
    assert refused(theirs.get_user, UserName=name) == ("NoSuchEntity", 404)
    theirs.create_user(UserName=name)
    assert {user["UserName"] for user in theirs.list_users()["Users"]} & {name} == {name}
    arn = cloud.iam.create_policy(PolicyName=cloud.name(), PolicyDocument=document(allow()))["Policy"]["Arn"]
    assert refused(theirs.get_policy, PolicyArn=arn) == ("NoSuchEntity", 404)
    assert refused(theirs.attach_user_policy, UserName=name, PolicyArn=arn) == ("NoSuchEntity", 404)


def test_whoever_may_not_is_refused_before_he_is_told_what_is_there(cloud: Cloud) -> None:
    name, keys = cloud.user(allow("iam:GetUser", Resource="arn:aws:iam::*:user/${aws:username}"))
    mine = cloud.client("iam", keys)
    assert mine.get_user()["User"]["UserName"] == name
    for call, arguments in (
        (mine.get_user, {"UserName": "admin"}),
        (mine.get_user, {"UserName": "nobody-at-all"}),
        (mine.create_user, {"UserName": cloud.name()}),
        (mine.list_users, {}),
        (mine.put_user_policy, {"UserName": name, "PolicyName": "p", "PolicyDocument": document(allow())}),
        (mine.attach_user_policy, {"UserName": name, "PolicyArn": ADMINISTRATOR}),
        (mine.create_access_key, {"UserName": "admin"}),
        (mine.delete_account_alias, {"AccountAlias": "abc"}),
    ):
        assert refused(call, **arguments) == ("AccessDenied", 403)


def test_what_may_be_attached_can_be_limited_by_condition(cloud: Cloud) -> None:
    read_only = "arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess"
    _, keys = cloud.user(allow("iam:AttachUserPolicy", Condition={"ArnEquals": {"iam:PolicyARN": read_only}}))
    name, _ = cloud.user()
    mine = cloud.client("iam", keys)
    mine.attach_user_policy(UserName=name, PolicyArn=read_only)
    assert refused(mine.attach_user_policy, UserName=name, PolicyArn=ADMINISTRATOR) == ("AccessDenied", 403)


def test_the_account_has_an_alias_and_a_summary(cloud: Cloud) -> None:
    iam = cloud.iam
    iam.create_account_alias(AccountAlias="packyard-tests")
    assert iam.list_account_aliases()["AccountAliases"] == ["packyard-tests"]
    taken = cloud.client("iam", cloud.other).create_account_alias
    assert refused(taken, AccountAlias="packyard-tests") == ("EntityAlreadyExists", 409)
    iam.delete_account_alias(AccountAlias="packyard-tests")
    assert iam.list_account_aliases()["AccountAliases"] == []
    assert iam.get_account_summary()["SummaryMap"]["AccessKeysPerUserQuota"] == 2


def test_a_simulation_says_what_would_be_decided(cloud: Cloud) -> None:
    name, _ = cloud.user(
        allow("codeartifact:List*"),
        deny("codeartifact:ListPackages", Condition={"Bool": {"aws:SecureTransport": "false"}}),
    )
    found = cloud.iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{cloud.account}:user/{name}",
        ActionNames=["codeartifact:ListDomains", "codeartifact:ListPackages", "codeartifact:DeleteDomain"],
        ContextEntries=[
            {"ContextKeyName": "aws:SecureTransport", "ContextKeyValues": ["false"], "ContextKeyType": "boolean"}
        ],
    )["EvaluationResults"]
    assert [each["EvalDecision"] for each in found] == ["allowed", "explicitDeny", "implicitDeny"]
    keys = cloud.iam.get_context_keys_for_principal_policy(PolicySourceArn=f"arn:aws:iam::{cloud.account}:user/{name}")[
        "ContextKeyNames"
    ]
    assert keys == ["aws:securetransport"]
    custom = document(allow(Condition={"StringLike": {"aws:userid": "${aws:username}"}}))
    found = cloud.iam.get_context_keys_for_custom_policy(PolicyInputList=[custom])["ContextKeyNames"]
    assert found == ["aws:userid", "aws:username"]
    asked = {"PolicySourceArn": f"arn:aws:iam::{cloud.account}:user/nobody", "ActionNames": ["x:y"]}
    assert refused(cloud.iam.simulate_principal_policy, **asked) == ("NoSuchEntity", 404)


def test_everything_of_an_account_comes_in_one_answer_of_pages(cloud: Cloud) -> None:
    name, _ = cloud.user(allow("x:y"), Tags=[{"Key": "a", "Value": "b"}])
    group = cloud.name("group")
    cloud.iam.create_group(GroupName=group)
    cloud.iam.add_user_to_group(GroupName=group, UserName=name)
    role = cloud.role(trust("*"))["RoleName"]
    pages = cloud.iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 5})
    found: dict[str, list[Any]] = {}
    for page in pages:
        for member in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"):
            found.setdefault(member, []).extend(page.get(member, []))
    user = next(each for each in found["UserDetailList"] if each["UserName"] == name)
    assert user["GroupList"] == [group] and user["Tags"] == [{"Key": "a", "Value": "b"}]
    assert user["UserPolicyList"] == [{"PolicyName": "own", "PolicyDocument": json.loads(document(allow("x:y")))}]
    assert group in {each["GroupName"] for each in found["GroupDetailList"]}
    assert role in {each["RoleName"] for each in found["RoleDetailList"]}
    administrator = next(each for each in found["Policies"] if each["PolicyName"] == "AdministratorAccess")
    assert administrator["PolicyVersionList"][0]["Document"]["Statement"]
    only = cloud.iam.get_account_authorization_details(Filter=["Group"], MaxItems=1000)
    assert only["GroupDetailList"] and not only.get("UserDetailList")


def test_a_delegate_manages_only_those_within_the_boundary(cloud: Cloud) -> None:
    boundary = cloud.iam.create_policy(PolicyName=cloud.name("limit"), PolicyDocument=document(allow("x:y")))
    arn = boundary["Policy"]["Arn"]
    actions = ("iam:CreateUser", "iam:PutUserPolicy", "iam:AttachUserPolicy")
    _, keys = cloud.user(allow(*actions, Condition={"StringEquals": {"iam:PermissionsBoundary": arn}}))
    mine = cloud.client("iam", keys)
    free, bounded = cloud.name(), cloud.name()
    assert refused(mine.create_user, UserName=free) == ("AccessDenied", 403)
    mine.create_user(UserName=bounded, PermissionsBoundary=arn)
    mine.put_user_policy(UserName=bounded, PolicyName="p", PolicyDocument=document(allow()))
    cloud.iam.create_user(UserName=free)
    put = {"UserName": free, "PolicyName": "p", "PolicyDocument": document(allow())}
    assert refused(mine.put_user_policy, **put) == ("AccessDenied", 403)
