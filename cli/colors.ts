import { isatty } from 'node:tty';
import pc from 'picocolors';

const STDOUT = 1;

/**
 * Colors where a person looks. By itself the library colors what is piped, too, when $CI is set, and
 * programs would read the codes.
 */
export const colors = pc.createColors(
  isatty(STDOUT) && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb',
);
