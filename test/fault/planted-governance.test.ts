import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serializeGovernanceEvent } from '../../src/governance/index.ts';
import { openGovernanceFollower, revoke } from '../../src/governor/index.ts';
import { SigningKey } from '../../src/key/index.ts';
import { plantEntry } from '../support/planted-entry.ts';
import { must, nowSeconds, TestDomain } from '../support/trust-domain.ts';

const STRANGER = SigningKey.generate();

describe('a trust anchor planted in the governance database without the governance key', () => {
  let domain: TestDomain;
  beforeEach(async () => {
    domain = await TestDomain.create();
    const iss = domain.home.issuer;
    plantEntry(
      domain.home.governanceFolder,
      serializeGovernanceEvent({
        type: 'writ/governance@v1',
        event: 'anchor.added',
        at: nowSeconds(),
        actor: 'test',
        iss,
        jwk: STRANGER.publicKey.jwk,
      }),
    );
  });
  afterEach(() => domain.dispose());

  const checkpoint = () => readFileSync(join(domain.home.governanceFolder, 'checkpoint'), 'utf8');
  const trusted = (): string[] => {
    const follower = must(openGovernanceFollower(domain.home));
    const { anchors } = follower.refresh().state;
    follower.close();
    return anchors.map(({ key }) => key.thumbprint);
  };

  it('is never honoured, and the operator’s next command refuses to sign for it', async () => {
    const before = checkpoint();
    expect(trusted()).not.toContain(STRANGER.publicKey.thumbprint);
    const refused = await revoke(
      domain.home,
      { handle: 'token', value: randomUUID() },
      { actor: 'test', atSeconds: nowSeconds() },
    );
    expect(refused).toMatchObject({
      code: 'log.unavailable',
      detail: expect.stringContaining("committed by this log's writer"),
    });
    expect(checkpoint()).toBe(before);
    expect(trusted()).not.toContain(STRANGER.publicKey.thumbprint);
  });
});
