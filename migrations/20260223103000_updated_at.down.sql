drop trigger documents_updated_at on documents;
alter table documents drop column updated_at;

drop trigger patients_updated_at on patients;
alter table patients drop column updated_at;

drop function set_updated_at();
