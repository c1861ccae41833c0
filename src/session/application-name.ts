const ours = 'ensure-migrated/';
const mostBytes = 63; // of a name in pg_stat_activity

/**
 * What stands in pg_stat_activity for the person who looks there. What is too long for the server is cut from the application's own name, never
 * from what the connection is for. Pure.
 */
export function applicationName(application: string, role: string): string {
  let room = mostBytes - ours.length - role.length;
  const characters = [...application];
  const end = characters.findIndex((character) => (room -= bytesOf(character)) < 0);
  return `${ours}${characters.slice(0, end === -1 ? characters.length : end).join('')}${role}`;
}

// PostgreSQL 16 and later show each byte that is not printable ASCII as four, such as \xc3; older ones as a question mark.
function bytesOf(character: string): number {
  return /^[ -~]$/.test(character) ? 1 : 4 * Buffer.byteLength(character);
}
