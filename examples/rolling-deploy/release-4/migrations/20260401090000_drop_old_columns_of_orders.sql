drop trigger orders_total_follows on orders;
drop function orders_total_follows();
alter table orders drop column total;
