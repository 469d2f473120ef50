"""The account itself: alias, summary; and lists of what there is none of here, which tools ask for before they delete.

IAM API reference.
"""

from __future__ import annotations

from registry.control.iam.attachments import PER_ENTITY
from registry.control.iam.call import Call, IamError, Params, Result, operation
from registry.control.iam.documents import INLINE, MANAGED, TRUST
from registry.control.iam.groups import GROUPS_PER_USER
from registry.control.iam.keys import KEYS_PER_USER
from registry.control.iam.policies import VERSIONS
from registry.core.iam import Kind
from registry.core.ports import Tx


@operation("iam", "CreateAccountAlias")
async def create_alias(call: Call, p: Params) -> Result:
    alias = p["AccountAlias"]

    async def work(tx: Tx) -> None:
        await call.require(tx, "*")
        if not await tx.logins.set_alias(call.account, alias):
            raise IamError("EntityAlreadyExists", f"The account alias {alias} already exists.")

    await call.write(work)
    return {}


@operation("iam", "DeleteAccountAlias")
async def delete_alias(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        await call.require(tx, "*")
        if await tx.logins.alias(call.account) != p["AccountAlias"]:
            raise IamError("NoSuchEntity", f"The account alias {p['AccountAlias']} cannot be found.")
        await tx.logins.drop_alias(call.account)

    await call.write(work)
    return {}


@operation("iam", "ListAccountAliases")
async def list_aliases(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        await call.require(tx, "*")
        alias = await tx.logins.alias(call.account)
        return {"AccountAliases": [alias] if alias is not None else [], "IsTruncated": False}

    return await call.read(work)


@operation("iam", "GetAccountSummary")
async def get_account_summary(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        await call.require(tx, "*")
        people = await tx.principals.count(call.account)
        policies, versions = await tx.managed.count(call.account)
        providers = await tx.logins.providers(call.account)
        return {
            "SummaryMap": {
                "Users": people.get("user", 0),
                "Groups": people.get("group", 0),
                "Roles": people.get("role", 0),
                "Policies": policies,
                "PolicyVersionsInUse": versions,
                "Providers": len(providers),
                "AccessKeysPerUserQuota": KEYS_PER_USER,
                "GroupsPerUserQuota": GROUPS_PER_USER,
                "AttachedPoliciesPerUserQuota": PER_ENTITY,
                "AttachedPoliciesPerGroupQuota": PER_ENTITY,
                "AttachedPoliciesPerRoleQuota": PER_ENTITY,
                "VersionsPerPolicyQuota": VERSIONS,
                "PolicySizeQuota": MANAGED,
                "UserPolicySizeQuota": INLINE["user"],
                "GroupPolicySizeQuota": INLINE["group"],
                "AssumeRolePolicySizeQuota": TRUST,
                "AccountAccessKeysPresent": 0,
                "AccountMFAEnabled": 0,
                "MFADevices": 0,
                "MFADevicesInUse": 0,
            }
        }

    return await call.read(work)


def _nothing(name: str, member: str, kind: Kind | None = None, named: str = "UserName") -> None:
    """A list that is always empty: there are no passwords, devices, certificates and machines here."""

    @operation("iam", name)
    async def listed(call: Call, p: Params) -> Result:
        async def work(tx: Tx) -> Result:
            if kind is not None and (named in p or kind == "role"):
                await call.entity(tx, kind, p[named])
            else:
                await call.require(tx, "*")
            return {member: [], "IsTruncated": False}

        return await call.read(work)


_nothing("ListMFADevices", "MFADevices", "user")
_nothing("ListSSHPublicKeys", "SSHPublicKeys", "user")
_nothing("ListSigningCertificates", "Certificates", "user")
_nothing("ListInstanceProfilesForRole", "InstanceProfiles", "role", "RoleName")
_nothing("ListInstanceProfiles", "InstanceProfiles")
_nothing("ListVirtualMFADevices", "VirtualMFADevices")
_nothing("ListServerCertificates", "ServerCertificateMetadataList")
