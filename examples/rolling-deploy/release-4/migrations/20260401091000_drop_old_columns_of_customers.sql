drop trigger addresses_to_customers on addresses;
drop function addresses_to_customers();
drop trigger customers_to_addresses on customers;
drop function customers_to_addresses();
drop trigger customers_name_follows on customers;
drop function customers_name_follows();
alter table customers drop column fullname, drop column street, drop column city, drop column fax;
