"""Temporary credentials: roles, chains, session policies and tags, and what ends them."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from tests.iam.conftest import Cloud, allow, deny, document, keys_of, refused, trust

TOKENS = allow("sts:GetServiceBearerToken", "codeartifact:*")


def test_who_asks_is_told_to_users_and_sessions(cloud: Cloud) -> None:
    name, keys = cloud.user()
    who = cloud.client("sts", keys).get_caller_identity()
    assert who["Account"] == cloud.account
    assert who["Arn"] == f"arn:aws:iam::{cloud.account}:user/{name}"
    assert who["UserId"].startswith("AIDA")

    role = cloud.role(trust({"AWS": cloud.account}))
    session = cloud.client("sts", cloud.assume(role["Arn"], RoleSessionName="build@7")).get_caller_identity()
    assert session["Arn"] == f"arn:aws:sts::{cloud.account}:assumed-role/{role['RoleName']}/build@7"
    assert session["UserId"] == f"{role['RoleId']}:build@7"


def test_a_signed_address_says_who_asks(cloud: Cloud) -> None:
    address = cloud.sts.generate_presigned_url("get_caller_identity", HttpMethod="GET")
    answer = cloud.server.get("/?" + urlsplit(address).query)

    assert answer.status == 200 and ":user/admin" in answer.text


def test_trust_by_name_is_enough_in_an_account_and_trust_in_the_account_leaves_it_to_its_policies(cloud: Cloud) -> None:
    _, eve_keys = cloud.user()
    bob, bob_keys = cloud.user()
    _, carol_keys = cloud.user(allow("sts:AssumeRole"))
    _, dave_keys = cloud.user(deny("sts:AssumeRole"), allow())
    by_name = cloud.role(trust({"AWS": f"arn:aws:iam::{cloud.account}:user/{bob}"}))["Arn"]
    by_account = cloud.role(trust({"AWS": f"arn:aws:iam::{cloud.account}:root"}))["Arn"]

    def may(keys: tuple[str, str], role: str) -> bool:
        try:
            cloud.assume(role, keys)
        except cloud.sts.exceptions.ClientError as err:
            assert err.response["Error"]["Code"] == "AccessDenied"
            return False
        return True

    assert [may(keys, by_name) for keys in (bob_keys, eve_keys, carol_keys, dave_keys)] == [True, False, False, False]
    assert [may(keys, by_account) for keys in (bob_keys, carol_keys, dave_keys)] == [False, True, False]
    absent = f"arn:aws:iam::{cloud.account}:role/none"
    assert not may(carol_keys, absent)


def test_between_accounts_both_sides_must_allow_and_the_external_id_must_fit(cloud: Cloud) -> None:
    theirs = cloud.client("sts", cloud.other)
    condition = {"StringEquals": {"sts:ExternalId": "shared-secret"}}
    role = cloud.role(trust({"AWS": "arn:aws:iam::444455556666:root"}, Condition=condition))["Arn"]
    given = {"RoleArn": role, "RoleSessionName": "ses"}
    assert refused(theirs.assume_role, **given) == ("AccessDenied", 403)
    assert refused(theirs.assume_role, **given, ExternalId="other") == ("AccessDenied", 403)
    made = theirs.assume_role(**given, ExternalId="shared-secret")
    assert cloud.client("sts", keys_of(made)).get_caller_identity()["Account"] == cloud.account

    other_iam = cloud.client("iam", cloud.other)
    name = cloud.name("weak")
    other_iam.create_user(UserName=name)
    key = other_iam.create_access_key(UserName=name)["AccessKey"]
    weak = cloud.client("sts", (key["AccessKeyId"], key["SecretAccessKey"]))
    assert refused(weak.assume_role, **given, ExternalId="shared-secret") == ("AccessDenied", 403)


def test_a_session_ends_at_its_time_and_lasts_no_longer_than_its_role_allows(cloud: Cloud) -> None:
    role = cloud.role(trust({"AWS": cloud.account}), TOKENS, MaxSessionDuration=7200)["Arn"]
    give = cloud.sts.assume_role
    made = give(RoleArn=role, RoleSessionName="long", DurationSeconds=7200)
    left = made["Credentials"]["Expiration"] - datetime.now(UTC)
    assert timedelta(seconds=7100) < left <= timedelta(seconds=7200)
    wrong = {"RoleArn": role, "RoleSessionName": "long"}
    assert refused(give, **wrong, DurationSeconds=7201) == ("ValidationError", 400)
    chained = cloud.client("sts", keys_of(made)).assume_role
    again = cloud.role(trust({"AWS": role}), MaxSessionDuration=7200)["Arn"]
    assert refused(chained, RoleArn=again, RoleSessionName="ses", DurationSeconds=3601) == ("ValidationError", 400)
    chained(RoleArn=again, RoleSessionName="ses", DurationSeconds=3600)


def test_a_made_up_or_foreign_session_token_is_refused(cloud: Cloud) -> None:
    role = cloud.role(trust({"AWS": cloud.account}), TOKENS)["Arn"]
    one, two = cloud.assume(role), cloud.assume(role)
    for keys in ((*one[:2], two[2]), (*one[:2], "x"), one[:2], (*cloud.admin, one[2]), (one[0], "wrong", one[2])):
        code, status = refused(cloud.client("sts", keys).get_caller_identity)
        assert (code, status) in {("InvalidClientTokenId", 403), ("SignatureDoesNotMatch", 403)}
        code, status = refused(cloud.client("codeartifact", keys).list_domains)
        assert (code, status) in {("UnrecognizedClientException", 403), ("InvalidSignatureException", 403)}


def test_a_deleted_role_ends_its_sessions_and_their_tokens_at_once(cloud: Cloud) -> None:
    domain = cloud.domain()
    role = cloud.role(trust({"AWS": cloud.account}), TOKENS)
    keys = cloud.assume(role["Arn"])
    mine = cloud.client("codeartifact", keys)
    token = mine.get_authorization_token(domain=domain)["authorizationToken"]
    index = cloud.server.endpoint("pypi", domain=domain) + "simple/"
    assert cloud.server.get(index, token=token).status == 200

    cloud.iam.put_role_policy(RoleName=role["RoleName"], PolicyName="revoke", PolicyDocument=document(deny()))
    assert cloud.server.get(index, token=token).status == 403
    assert refused(mine.list_domains) == ("AccessDeniedException", 403)
    cloud.iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="revoke")
    assert cloud.server.get(index, token=token).status == 200

    cloud.iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="own")
    cloud.iam.delete_role(RoleName=role["RoleName"])
    assert cloud.server.get(index, token=token).status == 401
    assert refused(mine.list_domains) == ("UnrecognizedClientException", 403)
    cloud.iam.create_role(RoleName=role["RoleName"], AssumeRolePolicyDocument=document(trust("*")))
    assert cloud.server.get(index, token=token).status == 401


def test_older_sessions_are_revoked_by_their_issue_time(cloud: Cloud) -> None:
    role = cloud.role(trust({"AWS": cloud.account}), TOKENS)
    mine = cloud.client("codeartifact", cloud.assume(role["Arn"]))
    mine.list_domains()
    for moment, works in (
        (datetime.now(UTC) - timedelta(hours=1), True),
        (datetime.now(UTC) + timedelta(hours=1), False),
    ):
        revoke = deny(Condition={"DateLessThan": {"aws:TokenIssueTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}})
        cloud.iam.put_role_policy(RoleName=role["RoleName"], PolicyName="revoke", PolicyDocument=document(revoke))
        if works:
            mine.list_domains()
        else:
            assert refused(mine.list_domains) == ("AccessDeniedException", 403)


def test_session_policies_narrow_the_session_and_its_tokens(cloud: Cloud) -> None:
    domain = cloud.domain()
    role = cloud.role(trust({"AWS": cloud.account}), TOKENS)["Arn"]
    narrow = document(allow("codeartifact:GetAuthorizationToken", "codeartifact:ListDomains"), allow("sts:*"))
    mine = cloud.client("codeartifact", cloud.assume(role, Policy=narrow))
    mine.list_domains()
    assert refused(mine.list_repositories) == ("AccessDeniedException", 403)
    token = mine.get_authorization_token(domain=domain)["authorizationToken"]
    assert cloud.server.get(cloud.server.endpoint("pypi", domain=domain) + "simple/", token=token).status == 403

    read = "arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess"
    by_arn = cloud.client("codeartifact", cloud.assume(role, PolicyArns=[{"arn": read}]))
    by_arn.list_repositories()
    assert refused(by_arn.create_domain, domain="no-no") == ("AccessDeniedException", 403)
    none = [{"arn": f"arn:aws:iam::{cloud.account}:policy/none"}]
    given = {"RoleArn": role, "RoleSessionName": "ses"}
    assert refused(cloud.sts.assume_role, **given, PolicyArns=none) == ("ValidationError", 400)
    assert refused(cloud.sts.assume_role, **given, Policy="{}") == ("MalformedPolicyDocument", 400)


def test_session_tags_are_principal_tags_and_need_their_right(cloud: Cloud) -> None:
    condition = {"StringEquals": {"aws:PrincipalTag/Team": "${aws:ResourceTag/Team}"}}
    by_team = allow("codeartifact:DescribeDomain", Condition=condition)
    actions = ("sts:AssumeRole", "sts:TagSession")
    role = cloud.role(trust({"AWS": cloud.account}, *actions), by_team)
    domain = cloud.domain()
    arn = cloud.client("codeartifact").describe_domain(domain=domain)["domain"]["arn"]
    cloud.client("codeartifact").tag_resource(resourceArn=arn, tags=[{"key": "Team", "value": "web"}])

    for team, works in (("web", True), ("data", False)):
        mine = cloud.client("codeartifact", cloud.assume(role["Arn"], Tags=[{"Key": "Team", "Value": team}]))
        if works:
            mine.describe_domain(domain=domain)
        else:
            assert refused(mine.describe_domain, domain=domain) == ("AccessDeniedException", 403)
    without = cloud.role(trust({"AWS": cloud.account}))["Arn"]
    tagged = {"RoleArn": without, "RoleSessionName": "ses", "Tags": [{"Key": "a", "Value": "b"}]}
    _, keys = cloud.user(allow("sts:AssumeRole"))
    assert refused(cloud.client("sts", keys).assume_role, **tagged) == ("AccessDenied", 403)


def test_transitive_tags_go_on_to_the_next_role(cloud: Cloud) -> None:
    actions = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
    condition = {"StringEquals": {"aws:PrincipalTag/Team": "web", "aws:SourceIdentity": "alice"}}
    first = cloud.role(trust({"AWS": cloud.account}, *actions))
    second = cloud.role(trust({"AWS": first["Arn"]}, *actions), allow("codeartifact:ListDomains", Condition=condition))[
        "Arn"
    ]
    tags = [{"Key": "Team", "Value": "web"}]
    for transitive, works in ((["Team"], True), ([], False)):
        keys = cloud.assume(first["Arn"], Tags=tags, TransitiveTagKeys=transitive, SourceIdentity="alice")
        chained = cloud.client("codeartifact", cloud.assume(second, keys))
        if works:
            chained.list_domains()
        else:
            assert refused(chained.list_domains) == ("AccessDeniedException", 403)


def test_too_much_for_a_session_is_refused(cloud: Cloud) -> None:
    role = cloud.role(trust({"AWS": cloud.account}, "sts:AssumeRole", "sts:TagSession"))["Arn"]
    noise = [{"Key": f"k{n}", "Value": str(hash((n, 1))) * 12} for n in range(50)]
    noise = [{"Key": tag["Key"], "Value": tag["Value"][:256]} for tag in noise]
    for tag in noise:
        tag["Value"] = __import__("secrets").token_hex(128)
    given = {"RoleArn": role, "RoleSessionName": "ses", "Tags": noise}
    assert refused(cloud.sts.assume_role, **given) == ("PackedPolicyTooLarge", 400)


def test_a_users_session_token_is_the_user_for_a_while(cloud: Cloud) -> None:
    name, keys = cloud.user(TOKENS, allow("iam:*"))
    made = keys_of(cloud.client("sts", keys).get_session_token(DurationSeconds=900))
    assert cloud.client("sts", made).get_caller_identity()["Arn"].endswith(f":user/{name}")
    cloud.client("codeartifact", made).list_domains()
    assert refused(cloud.client("iam", made).get_user) == ("InvalidClientTokenId", 403)
    assert refused(cloud.client("sts", made).get_session_token) == ("InvalidClientTokenId", 403)
    cloud.iam.delete_access_key(UserName=name, AccessKeyId=keys[0])
    cloud.iam.delete_user_policy(UserName=name, PolicyName="own")
    cloud.iam.delete_user(UserName=name)
    assert refused(cloud.client("codeartifact", made).list_domains) == ("UnrecognizedClientException", 403)


def test_a_token_of_a_session_ends_with_it_or_at_the_time_asked_for(cloud: Cloud) -> None:
    domain = cloud.domain()
    role = cloud.role(trust({"AWS": cloud.account}), TOKENS)["Arn"]
    made = cloud.sts.assume_role(RoleArn=role, RoleSessionName="ses", DurationSeconds=900)
    mine = cloud.client("codeartifact", keys_of(made))
    rest = mine.get_authorization_token(domain=domain, durationSeconds=0)["expiration"]
    assert abs((rest - made["Credentials"]["Expiration"]).total_seconds()) < 1.5
    full = mine.get_authorization_token(domain=domain)["expiration"]
    assert full - rest > timedelta(hours=11)
    admin = cloud.client("codeartifact")
    assert refused(admin.get_authorization_token, domain=domain, durationSeconds=0) == ("ValidationException", 400)
    assert refused(admin.get_authorization_token, domain=domain, durationSeconds=899) == ("ValidationException", 400)


@pytest.mark.parametrize("policy", ["repository", "domain"])
def test_a_role_or_its_session_is_named_in_resource_policies(cloud: Cloud, policy: str) -> None:
    domain, role = cloud.domain(), cloud.role(trust({"AWS": cloud.account}))
    mine = cloud.client("codeartifact", cloud.assume(role["Arn"], RoleSessionName="one"))
    other = cloud.client("codeartifact", cloud.assume(role["Arn"], RoleSessionName="two"))
    session = f"arn:aws:sts::{cloud.account}:assumed-role/{role['RoleName']}/one"
    admin, where = cloud.client("codeartifact"), {"domain": domain}
    put = admin.put_domain_permissions_policy
    if policy == "repository":
        where["repository"], put = "repo", admin.put_repository_permissions_policy

    def outcomes() -> list[bool]:
        found = []
        for client in (mine, other):
            try:
                client.describe_repository(domain=domain, repository="repo")
                found.append(True)
            except client.exceptions.AccessDeniedException:
                found.append(False)
        return found

    assert outcomes() == [False, False]
    for principal, expected in ((role["Arn"], [True, True]), (session, [True, False])):
        grant = allow("codeartifact:DescribeRepository", Principal={"AWS": principal})
        put(**where, policyDocument=document(grant))
        assert outcomes() == expected


def test_a_user_made_anew_is_not_the_one_whom_a_policy_named(cloud: Cloud) -> None:
    domain, (name, keys) = cloud.domain(), cloud.user()
    grant = allow("codeartifact:DescribeDomain", Principal={"AWS": f"arn:aws:iam::{cloud.account}:user/{name}"})
    admin = cloud.client("codeartifact")
    admin.put_domain_permissions_policy(domain=domain, policyDocument=document(grant))
    cloud.client("codeartifact", keys).describe_domain(domain=domain)
    role = cloud.role(trust({"AWS": f"arn:aws:iam::{cloud.account}:user/{name}"}))
    cloud.assume(role["Arn"], keys)
    old = cloud.iam.get_user(UserName=name)["User"]["UserId"]

    cloud.iam.delete_access_key(UserName=name, AccessKeyId=keys[0])
    cloud.iam.delete_user(UserName=name)
    cloud.iam.create_user(UserName=name)
    key = cloud.iam.create_access_key(UserName=name)["AccessKey"]
    again = (key["AccessKeyId"], key["SecretAccessKey"])
    assert refused(cloud.client("codeartifact", again).describe_domain, domain=domain)[0] == "AccessDeniedException"
    assume = cloud.client("sts", again).assume_role
    assert refused(assume, RoleArn=role["Arn"], RoleSessionName="ses") == ("AccessDenied", 403)
    shown = admin.get_domain_permissions_policy(domain=domain)["policy"]["document"]
    assert old in shown and f"user/{name}" not in shown
    assert old in str(cloud.iam.get_role(RoleName=role["RoleName"])["Role"]["AssumeRolePolicyDocument"])

    admin.put_domain_permissions_policy(domain=domain, policyDocument=document(grant))
    cloud.client("codeartifact", again).describe_domain(domain=domain)


def test_the_organization_of_the_accounts_opens_a_domain(cloud: Cloud) -> None:
    domain = cloud.domain()
    theirs = cloud.client("codeartifact", cloud.other)
    asked = {"domain": domain, "domainOwner": cloud.account}
    for organization, works in (("o-packyard0001", True), ("o-other0000000", False)):
        condition = {"StringEquals": {"aws:PrincipalOrgID": organization}}
        grant = allow("codeartifact:DescribeDomain", Principal="*", Condition=condition)
        cloud.client("codeartifact").put_domain_permissions_policy(domain=domain, policyDocument=document(grant))
        if works:
            theirs.describe_domain(**asked)
        else:
            assert refused(theirs.describe_domain, **asked) == ("ResourceNotFoundException", 404)


def test_a_role_says_when_it_was_used_last(cloud: Cloud) -> None:
    role = cloud.role(trust({"AWS": cloud.account}))
    assert not cloud.iam.get_role(RoleName=role["RoleName"])["Role"]["RoleLastUsed"]
    cloud.assume(role["Arn"])
    used = cloud.iam.get_role(RoleName=role["RoleName"])["Role"]["RoleLastUsed"]
    assert abs(used["LastUsedDate"].timestamp() - time.time()) < 60


def test_a_session_publishes_a_streamed_file(cloud: Cloud) -> None:
    domain, content = cloud.domain(), b"content" * 1000
    role = cloud.role(trust({"AWS": cloud.account}), allow("codeartifact:PublishPackageVersion"))
    mine = cloud.client("codeartifact", cloud.assume(role["Arn"]))
    made = mine.publish_package_version(
        domain=domain,
        repository="repo",
        format="generic",
        namespace="files",
        package="notes",
        packageVersion="1.0",
        assetName="notes.txt",
        assetContent=content,
        assetSHA256=hashlib.sha256(content).hexdigest(),
    )
    assert made["asset"]["size"] == len(content)


def test_the_tags_of_users_and_roles_are_principal_tags_that_sessions_replace(cloud: Cloud) -> None:
    condition = {"StringEquals": {"aws:PrincipalTag/Team": "web"}}
    grant = allow("codeartifact:ListDomains", Condition=condition)
    name, keys = cloud.user(grant, Tags=[{"Key": "Team", "Value": "web"}])
    mine = cloud.client("codeartifact", keys)
    mine.list_domains()
    cloud.iam.tag_user(UserName=name, Tags=[{"Key": "Team", "Value": "data"}])
    assert refused(mine.list_domains) == ("AccessDeniedException", 403)

    trusted = trust({"AWS": cloud.account}, "sts:AssumeRole", "sts:TagSession")
    role = cloud.role(trusted, grant, Tags=[{"Key": "Team", "Value": "web"}])["Arn"]
    cloud.client("codeartifact", cloud.assume(role)).list_domains()
    other = cloud.client("codeartifact", cloud.assume(role, Tags=[{"Key": "team", "Value": "data"}]))
    assert refused(other.list_domains) == ("AccessDeniedException", 403)
