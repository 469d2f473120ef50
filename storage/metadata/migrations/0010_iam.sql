-- Users, groups and roles in one table, keyed by the unique id that no later one of the same name has.
-- `folded` is the name in lower case: names that differ by case only are one.  Missing texts are '', missing times 0.

create table iam_principal (
  id text primary key,
  kind text not null,
  account text not null references account (id),
  name text not null,
  folded text not null,
  path text not null,
  created bigint not null,
  boundary text not null,
  trust text not null,
  bound text not null,
  description text not null,
  longest bigint not null,
  used bigint not null,
  used_region text not null,
  unique (account, kind, folded)
);
create index iam_principal_boundary on iam_principal (boundary) where boundary <> '';

create table iam_key (
  id text primary key,
  owner text not null references iam_principal (id) on delete cascade,
  secret bytea not null,
  active smallint not null,
  created bigint not null,
  used bigint not null,
  used_service text not null,
  used_region text not null
);
create index iam_key_owner on iam_key (owner);

create table iam_policy (
  arn text primary key,
  id text not null,
  account text not null,
  name text not null,
  folded text not null,
  path text not null,
  description text not null,
  created bigint not null,
  updated bigint not null,
  current bigint not null,
  latest bigint not null,
  unique (account, folded)
);

create table iam_policy_version (
  arn text not null references iam_policy (arn) on delete cascade,
  number bigint not null,
  document text not null,
  created bigint not null,
  primary key (arn, number)
);

create table iam_inline (
  owner text not null references iam_principal (id) on delete cascade,
  name text not null,
  document text not null,
  primary key (owner, name)
);

create table iam_attached (
  owner text not null references iam_principal (id) on delete cascade,
  arn text not null references iam_policy (arn),
  primary key (owner, arn)
);
create index iam_attached_arn on iam_attached (arn);

create table iam_member (
  group_id text not null references iam_principal (id) on delete cascade,
  user_id text not null references iam_principal (id) on delete cascade,
  primary key (group_id, user_id)
);
create index iam_member_user on iam_member (user_id);

create table iam_tag (
  owner text not null,
  name text not null,
  value text not null,
  primary key (owner, name)
);

create table iam_provider (
  arn text primary key,
  account text not null,
  url text not null,
  clients text not null,
  thumbprints text not null,
  created bigint not null
);

create table iam_alias (
  account text primary key,
  alias text not null unique
);

-- Long-lived tokens.  `domain_id` 0: for every domain.  `expires` 0: never.
create table iam_credential (
  id text primary key,
  owner text not null references iam_principal (id) on delete cascade,
  service text not null,
  description text not null,
  domain_id bigint not null,
  active smallint not null,
  created bigint not null,
  expires bigint not null,
  used bigint not null
);
create index iam_credential_owner on iam_credential (owner);

insert into iam_principal (id, kind, account, name, folded, path, created, boundary, trust, bound, description, longest, used, used_region)
  select id, 'user', account, name, lower(name), path, created, '', '', '{}', '', 0, 0, '' from iam_user;
insert into iam_key (id, owner, secret, active, created, used, used_service, used_region)
  select k.id, u.id, k.secret, k.active, k.created, 0, '', '' from access_key k
  join iam_user u on u.account = k.account and u.name = k.user_name;
insert into iam_policy (arn, id, account, name, folded, path, description, created, updated, current, latest)
  select arn, '', '', substr(arn, 25), lower(substr(arn, 25)), '/', '', 0, 0, 1, 1 from managed_policy;
insert into iam_policy_version (arn, number, document, created) select arn, 1, document, 0 from managed_policy;
insert into iam_inline (owner, name, document)
  select u.id, p.name, p.document from user_policy p
  join iam_user u on u.account = p.account and u.name = p.user_name;
insert into iam_attached (owner, arn)
  select u.id, p.arn from attached_policy p
  join iam_user u on u.account = p.account and u.name = p.user_name;

drop table attached_policy;
drop table user_policy;
drop table access_key;
drop table managed_policy;
drop table iam_user;

alter table resource_policy add column bound text not null default '{}';
