export { ensureTenants } from './ensure-tenants.js';
export { fleetKey } from './fleet-lock.js';
export { optionsOf, tenantsOf } from './options.js';
