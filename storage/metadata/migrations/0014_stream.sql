-- Events on their way out.  The relay moves them here from the outbox and gives each its place: the ids of the
-- outbox are not the order in which transactions commit.
create table stream (
  position bigint primary key,
  id bigint not null,
  account text not null,
  time bigint not null,
  detail text not null
);

-- How far each sink has come.
create table sink (
  name text primary key,
  position bigint not null
);

-- What only one process does at a time.
create table lease (
  name text primary key,
  holder text not null,
  until bigint not null
);
