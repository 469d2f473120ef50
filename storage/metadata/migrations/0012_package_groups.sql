-- Package groups (guide, "Working with package groups in CodeArtifact").
-- `group_key`: what a pattern is found by, made by the program; `group_fold`: by which version of its folds.
create table package_group (
  id bigint primary key,
  domain_id bigint not null references domain (id) on delete cascade,
  pattern text not null,
  contact text not null,
  description text not null,
  created bigint not null,
  external_upstream text not null,
  internal_upstream text not null,
  publish text not null,
  unique (domain_id, pattern)
);

create table group_key (
  domain_id bigint not null,
  key text not null,
  group_id bigint not null references package_group (id) on delete cascade,
  primary key (domain_id, key, group_id)
);
create index group_key_group on group_key (group_id);

create table group_repository (
  group_id bigint not null references package_group (id) on delete cascade,
  kind text not null,
  repo_id bigint not null references repository (id) on delete cascade,
  primary key (group_id, kind, repo_id)
);
create index group_repository_repo on group_repository (repo_id);

create table group_fold (
  id bigint primary key,
  version text not null
);
insert into group_fold (id, version) values (1, '');

-- Lists of a domain's packages, over its repositories.
create index package_of_domain on package (domain_id, format, namespace, name);

-- Every domain has its root group; the domain's own id serves as the group's, being as unique as any.
insert into package_group (id, domain_id, pattern, contact, description, created, external_upstream, internal_upstream, publish)
  select id, id, '/*', '', '', created, 'ALLOW', 'ALLOW', 'ALLOW' from domain;
insert into group_key (domain_id, key, group_id) select id, '/', id from domain;
update domain set topology = topology + 1;
