import pc from 'picocolors';

/**
 * Colors where a person looks. By itself the library colors what is piped, too, when $CI is set, and
 * programs would read the codes.
 */
export const colors = pc.createColors(
  process.stdout.isTTY && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb',
);
