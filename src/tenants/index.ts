export { ensureTenants, type TenantsRequest } from './ensure-tenants.js';
export { optionsOf, tenantsOf, type TenantPlace } from './options.js';
