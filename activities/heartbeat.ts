import { Context } from '@temporalio/activity';
import type { JsonObject } from '../plan/json.ts';

/** How often an attempt says that it lives; the SDK sends no more of it than --heartbeat allows. */
const HEARTBEAT_MS = 1_000;

/**
 * Tells Temporal that the running activity lives, and how far it is, until it is stopped.
 * @returns what stops it
 */
export function startHeartbeat(
  details: () => JsonObject | undefined = () => undefined,
): () => void {
  const activity = Context.current();
  activity.heartbeat(details());
  const beat = setInterval(() => activity.heartbeat(details()), HEARTBEAT_MS);
  return () => clearInterval(beat);
}
