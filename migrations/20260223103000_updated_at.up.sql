-- breaking: false
-- The default and the trigger fill the column: older code need not know it.
create function set_updated_at() returns trigger language plpgsql as $$
begin
  new.updated_at := now();
  return new;
end
$$;

-- now() is stable, not volatile: the columns are added without a rewrite.
alter table patients add column updated_at timestamptz not null default now();
create trigger patients_updated_at before update on patients for each row execute function set_updated_at();

alter table documents add column updated_at timestamptz not null default now();
create trigger documents_updated_at before update on documents for each row execute function set_updated_at();
