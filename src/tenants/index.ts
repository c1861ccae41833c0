export { ensureTenants, type TenantsRequest } from './ensure-tenants.js';
export { fleetKey } from './fleet-lock.js';
export { optionsOf, tenantsOf, type TenantPlace } from './options.js';
