-- One text for SQLite and PostgreSQL (ARCHITECTURE section 5): integers, text and bytes only.
-- Keys are made by the program.  JSON is text that SQL never looks into.  A missing namespace is ''.
-- Every statement ends with a semicolon at the end of its line.

create table account (
  id text primary key,
  created bigint not null
);

create table iam_user (
  account text not null references account (id),
  name text not null,
  path text not null,
  id text not null unique,
  created bigint not null,
  primary key (account, name)
);

create table access_key (
  id text primary key,
  account text not null,
  user_name text not null,
  secret bytea not null,
  active smallint not null,
  created bigint not null,
  foreign key (account, user_name) references iam_user (account, name) on delete cascade
);
create index access_key_user on access_key (account, user_name);

create table managed_policy (
  arn text primary key,
  document text not null
);

create table user_policy (
  account text not null,
  user_name text not null,
  name text not null,
  document text not null,
  primary key (account, user_name, name),
  foreign key (account, user_name) references iam_user (account, name) on delete cascade
);

create table attached_policy (
  account text not null,
  user_name text not null,
  arn text not null references managed_policy (arn),
  primary key (account, user_name, arn),
  foreign key (account, user_name) references iam_user (account, name) on delete cascade
);
create index attached_policy_arn on attached_policy (arn);

create table counter (
  name text primary key,
  value bigint not null
);
insert into counter (name, value) values ('identity', 1);

create table domain (
  id bigint primary key,
  owner text not null,
  name text not null,
  created bigint not null,
  encryption_key text not null,
  topology bigint not null,
  unique (name, owner)
);

create table repository (
  id bigint primary key,
  domain_id bigint not null references domain (id),
  name text not null,
  description text not null,
  administrator text not null,
  created bigint not null,
  unique (domain_id, name)
);
create index repository_name on repository (name);

create table upstream (
  repo_id bigint not null references repository (id) on delete cascade,
  position smallint not null,
  target_id bigint not null references repository (id) on delete cascade,
  primary key (repo_id, position)
);
create index upstream_target on upstream (target_id);

create table external_connection (
  repo_id bigint primary key references repository (id) on delete cascade,
  name text not null
);

create table package (
  id bigint primary key,
  repo_id bigint not null references repository (id) on delete cascade,
  domain_id bigint not null,
  format text not null,
  namespace text not null,
  name text not null,
  display text not null,
  seq bigint not null,
  publish text not null,
  upstream text not null,
  configured smallint not null,
  created bigint not null,
  unique (repo_id, format, namespace, name)
);

create table tag (
  package_id bigint not null references package (id) on delete cascade,
  name text not null,
  version text not null,
  primary key (package_id, name)
);

-- `native` comes last: what SQLite keeps on overflow pages is not read by lists, which leave it out.
create table version (
  id bigint primary key,
  package_id bigint not null references package (id) on delete cascade,
  version text not null,
  display text not null,
  status text not null,
  revision text not null,
  origin_type text not null,
  origin_repository text,
  origin_connection text,
  published bigint not null,
  sort text not null,
  native bytea not null,
  unique (package_id, version)
);
create index version_order on version (package_id, sort, version);
create index version_published on version (package_id, published, sort, version);

create table facts (
  version_id bigint primary key references version (id) on delete cascade,
  body text not null,
  readme bytea
);

-- `condemned`: since when nothing refers to it.  `loose`: 1 when a reference may be missing, so that the sweep
-- looks at what changed and not at everything; 2 while the sweep is looking.
-- No index by `key`: a key has its sha256 in it.  No primary key: rows of this size are better kept in the order in
-- which they come (see migrate), and found by an index.
create table blob (
  domain_id bigint not null references domain (id) on delete cascade,
  sha256 text not null,
  key text not null,
  size bigint not null,
  md5 text not null,
  sha1 text not null,
  sha512 text not null,
  condemned bigint,
  loose smallint not null,
  unique (domain_id, sha256)
);
create index blob_loose on blob (domain_id, sha256) where loose > 0;
create index blob_condemned on blob (domain_id, condemned) where condemned is not null;

create table asset (
  version_id bigint not null references version (id) on delete cascade,
  name text not null,
  domain_id bigint not null,
  sha256 text not null,
  uploaded bigint not null,
  native bytea not null,
  primary key (version_id, name),
  foreign key (domain_id, sha256) references blob (domain_id, sha256)
);
create index asset_blob on asset (domain_id, sha256);

create table resource_policy (
  arn text primary key,
  domain_id bigint not null,
  document text not null,
  revision text not null
);
create index resource_policy_domain on resource_policy (domain_id);

create table resource_tag (
  arn text not null,
  name text not null,
  value text not null,
  primary key (arn, name)
);

create table listing (
  id bigint primary key,
  domain_id bigint not null references domain (id) on delete cascade,
  connection text not null,
  format text not null,
  namespace text not null,
  name text not null,
  fetched bigint not null,
  changed bigint not null,
  size bigint,
  unique (domain_id, format, namespace, name, connection)
);

create index listing_by_age on listing (domain_id, fetched);

-- Apart from its row, so that "still holds" does not rewrite megabytes.
create table listing_body (
  listing_id bigint primary key references listing (id) on delete cascade,
  packed smallint not null,
  body bytea not null
);

create table outbox (
  id bigint primary key,
  account text not null,
  time bigint not null,
  detail text not null
);
