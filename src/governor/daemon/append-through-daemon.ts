import { type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { serializeGovernanceEvent } from '../../governance/index.ts';
import { completeEvent, type NewGovernanceEvent } from '../governance-event.ts';
import type { Home } from '../home.ts';
import { denialOf } from './daemon-answer.ts';
import { DaemonAbsent } from './daemon-error.ts';
import { linkToDaemon } from './daemon-link.ts';

/**
 * Has the domain's daemon append governance events.
 *
 * @returns undefined where no daemon runs; the log's lock has the last word on that.
 */
export async function appendThroughDaemon(
  home: Home,
  events: readonly NewGovernanceEvent[],
): Promise<number | Denial | undefined> {
  const link = linkToDaemon(home);
  if (link === undefined || isDenial(link)) return link;
  try {
    const answer = await link.send('POST', '/v1/governance/events', { events: events.map(asJson) });
    const { size } = answer.body;
    return answer.status === 201 && typeof size === 'number' ? size : denialOf(answer);
  } catch (error) {
    if (error instanceof DaemonAbsent) return undefined;
    const reason = error instanceof Error ? error.message : 'unknown error';
    return deny(
      'log.unavailable',
      `${reason}; whether the events were recorded is not known: see "writ up status" and the governance log`,
    );
  } finally {
    link.close();
  }
}

/** Without what JSON has no word for. */
function asJson(event: NewGovernanceEvent): JsonObject {
  const json = parseJsonObject(serializeGovernanceEvent(completeEvent(event)), 'request.malformed');
  if (isDenial(json)) throw new TypeError(`not a governance event: ${json.detail}`);
  return json;
}
